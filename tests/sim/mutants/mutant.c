#include "tests/sim/mutants/mutant.h"

static enum mutant active;
static bool are_stamps_ahead;
static uint32_t turns;

void mutant_set(enum mutant m)
{
    active = m;
    turns = 0;
}

bool mutant_is(enum mutant m)
{
    return active == m;
}

void mutant_set_ahead(bool is_ahead)
{
    are_stamps_ahead = is_ahead;
}

bool mutant_is_ahead(void)
{
    return are_stamps_ahead;
}

bool mutant_is_turn(uint32_t every)
{
    return turns++ % every == 0;
}
