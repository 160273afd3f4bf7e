/*
 * rings: the keys of a simulated cluster's nodes, and how they change.
 *
 * A cluster that rotates goes round a circle of rings, from open to sealed, to another key, and
 * back to open. Nodes that are at most RINGS_APART steps of it apart share a key, so they hear each
 * other whatever the others have.
 */
#ifndef SIM_RINGS_H
#define SIM_RINGS_H

#include "gossip/sealing/keyring.h"

enum rings_plan {
    RINGS_OPEN,   /* nobody has a key */
    RINGS_SEALED, /* all have one, and nothing else */
    RINGS_MIXED,  /* some have none yet, and some have it before `open`, or behind it */
    RINGS_ROTATE, /* all go round the circle, each in its time */
};

enum {
    RINGS_STEPS = 9, /* of the circle */
    RINGS_APART = 2,
    RINGS_STEP_SEALED = 3, /* of RINGS_SEALED */
    RINGS_MIXED_STEPS = 3, /* of RINGS_MIXED: the first ones */
};

/* The ring of a step of the circle. */
struct keyring_items rings_items(uint32_t step);

/* How many steps the one is behind the other. */
uint32_t rings_behind(uint32_t step, uint32_t front);

#endif
