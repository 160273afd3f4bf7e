/*
 * hosts: the addresses that the hosts file has for a name (hosts(5)).
 */
#ifndef NET_OUT_HOSTS_H
#define NET_OUT_HOSTS_H

#include "core/base/addr.h"

/* Calls `found` for each address that the file has for the name, case ignored, port 0. A file that
 * cannot be read has none, and lines that are none are skipped. */
void hosts_find(const char *path, const char *name,
                void (*found)(void *arg, const struct addr *addr), void *arg);

#endif
