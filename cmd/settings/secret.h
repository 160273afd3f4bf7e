/*
 * secret: a setting that nobody else may read: its file, and what is wrong with its text.
 *
 * No text of a secret stands in what is said of it, and a copy is wiped once it is not needed. How
 * secrets get from a launcher to its nodes is cmd/settings/handover's.
 */
#ifndef CMD_SETTINGS_SECRET_H
#define CMD_SETTINGS_SECRET_H

#include "cmd/base/report.h"

#include <stdbool.h>
#include <stddef.h>

enum { SECRET_BYTES_MAX = 64 * 1024 };

/* What a cluster's secret may be, for people. */
#define SECRET_KEYRING_TAKES                                                                   \
    ("up to 4 items with commas between them, each a key that repram keygen made or the word " \
     "open; "                                                                                  \
     "or a file with them, named by the same name with _FILE")

/* Whether the cluster's secret, which the setting `name` is, may be this text; if not, an error
 * says what is wrong with it. `from`: where it stood, for people. */
bool secret_is_good(const char *name, const char *from, const char *text, size_t len,
                    struct report *errors);

/*
 * Reads NAME_FILE: its content without the line end, good as above; terminated, the caller's to
 * wipe and free. NULL, and an error says why. A file that every user can read gets a warning.
 * `is_read_again`: no pipe (cmd/settings/config_file).
 */
char *secret_read(const char *name, const char *from, const char *path, bool is_read_again,
                  struct report *errors, struct report *warnings);

/* A warning when every user of this host can read `path`, which holds what the setting `name` is
 * about. */
void secret_warn_of_readers(const char *name, const char *path, struct report *warnings);

#endif
