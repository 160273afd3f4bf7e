/*
 * host_limits: how much memory and how many descriptors this process may use.
 */
#ifndef CMD_SETTINGS_HOST_LIMITS_H
#define CMD_SETTINGS_HOST_LIMITS_H

#include <stdint.h>

/*
 * Bytes: the smallest of the limits of the process's control groups (version 2, then 1) and the
 * machine's memory. `root` stands before /proc and /sys, "" outside of tests. Never 0.
 */
uint64_t host_limits_memory(const char *root);

/* Raises the soft limit of open descriptors to the hard one, and returns it, at most 1,000,000. */
uint64_t host_limits_descriptors(void);

#endif
