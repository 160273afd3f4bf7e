/*
 * eavesdropper: somebody on the path of a sealed cluster who has no key.
 *
 * It records what passes, and brings it again: to the same node, in this life or its next, to
 * another, from its sender's address or one where nobody answers; with a bit flipped, cut, or
 * lengthened. It makes up INTROs under keys whose ids it has read.
 */
#ifndef SIM_EAVESDROPPER_H
#define SIM_EAVESDROPPER_H

#include "tests/sim/cluster.h"

/* A sealed datagram passes. Nothing is kept of what is open, which it might as well change. */
void eavesdropper_hears(struct cluster *c, uint32_t from, uint32_t to, const uint8_t *data,
                        size_t len);

/* Sends one datagram that it has recorded, or made of one, drawn from the network's generator;
 * nothing before it has heard something, nor where datagrams pass nowhere. */
void eavesdropper_send(struct cluster *c);

#endif
