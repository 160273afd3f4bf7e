/*
 * proc_figures: what this process costs, as the kernel counts it.
 */
#ifndef NET_SYS_PROC_FIGURES_H
#define NET_SYS_PROC_FIGURES_H

#include <stdint.h>

struct proc_figures {
    uint64_t virtual_bytes, resident_bytes;
    uint64_t cpu_us; /* user and system */
    uint64_t open_fds, max_fds;
};

/* Reads /proc; a figure that cannot be read is 0. A few system calls: for pages that show it. */
void proc_figures_read(struct proc_figures *ret_figures);

#endif
