/*
 * human: amounts as people read them: 7m1s, 4.0 MiB.
 */
#ifndef CMD_BASE_HUMAN_H
#define CMD_BASE_HUMAN_H

#include <stdint.h>

enum { HUMAN_SIZE = 32 };

/* As durations are written: 1h30m, 0s. `unit_count` units at most, what is left is cut off; 4 are
 * exact. Returns `ret_text`. */
const char *human_duration(uint64_t seconds, unsigned unit_count, char ret_text[static HUMAN_SIZE]);

/* In the largest binary unit of which there is one. Returns `ret_text`. */
const char *human_bytes(uint64_t bytes, char ret_text[static HUMAN_SIZE]);

#endif
