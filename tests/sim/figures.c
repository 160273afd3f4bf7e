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
    sample_fini(&f->convergences);
}
