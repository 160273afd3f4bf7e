/*
 * handover: the secrets of a process's settings, which its children get and nobody else does.
 *
 * Nodes of a launcher inherit a descriptor of memory that cannot be changed any more
 * (memfd_create(2), F_SEAL_WRITE), not an environment, which stays readable in /proc. It holds
 * lines NAME=value.
 */
#ifndef CMD_SETTINGS_HANDOVER_H
#define CMD_SETTINGS_HANDOVER_H

#include "cmd/settings/settings.h"
#include "gossip/sealing/keyring.h"

/* Overwrites the secrets of an environment, where they then count as not set. */
void handover_wipe_environment(char *const *environment);

/* Whether any secret is set. */
bool handover_has_any(const struct settings *s);

/* How traffic between nodes with these settings is: open without a secret. */
enum keyring_state handover_sealing(const struct settings *s);

/* From now on other users' programs cannot look into this process, and it leaves no core. */
void handover_close_process(void);

/* The secrets in memory that a child may inherit and nobody can change: its descriptor, CLOEXEC,
 * the caller's to close; -1 with errno. */
MUST_USE int handover_seal(const struct settings *s);

/* Reads what handover_seal() wrote, from its start. RC_IO, RC_MALFORMED. */
MUST_USE enum rc handover_read(int fd, struct config_file *ret_file);

#endif
