/*
 * seal_model: a stand-in for the cryptography of sealing, of the same lengths and failures.
 *
 * A flipped bit, another key or another counter fails, and what is sealed cannot be read by looking
 * at it. It is made of a fast hash, of which nothing is secret: a simulated network has nobody who
 * computes. The half of a tag says how to read what it seals, so that the oracle reads along
 * without a key.
 */
#ifndef SIM_SEAL_MODEL_H
#define SIM_SEAL_MODEL_H

#include "gossip/sealing/seal_ops.h"

/* Static. */
const struct seal_ops *seal_model_ops(void);

/* Reads a sealed datagram of `len` bytes without its key: what was sealed goes to ret_plain. False
 * when it was not sealed by seal_model, or has been changed. */
bool seal_model_read(const uint8_t *data, size_t head_len, size_t len, uint8_t *ret_plain);

#endif
