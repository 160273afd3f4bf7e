#include "tests/sim/figures.h"

void figures_fini(struct figures *f)
{
    sample_fini(&f->forming);
    sample_fini(&f->silent_each);
    sample_fini(&f->silent_all);
    sample_fini(&f->killed_each);
    sample_fini(&f->killed_all);
    sample_fini(&f->deliveries);
    sample_fini(&f->last_copies);
    sample_fini(&f->heal_views);
    sample_fini(&f->heal_digests);
    sample_fini(&f->rest_views);
    sample_fini(&f->convergences);
}

const char *invariant_text(enum invariant invariant)
{
    static const char *const texts[INVARIANTS] = {
#define SIM_INVARIANT_TEXT(name, help) [INVARIANT_##name] = (help),
        SIM_INVARIANTS(SIM_INVARIANT_TEXT)
#undef SIM_INVARIANT_TEXT
    };
    return texts[invariant];
}
