/*
 * startup: the command line of `node` and `launch`: flags, file and environment become settings, or
 * the program ends saying what is wrong.
 *
 * --config, --strict, --print-config, --check-config and --help are handled here; each command adds
 * options of its own.
 */
#ifndef CMD_SETTINGS_STARTUP_H
#define CMD_SETTINGS_STARTUP_H

#include "cmd/base/log.h"
#include "cmd/base/options.h"
#include "cmd/settings/settings.h"

#define STARTUP_SECRETS_FLAG "secrets-fd"

enum { STARTUP_EXTRAS_MAX = 8, STARTUP_FLAGS_MAX = 128, STARTUP_PATH_SIZE = 4096 };

struct startup {
    struct settings settings;
    struct settings_flag
        flags[STARTUP_FLAGS_MAX]; /* as given, for reading again and for children */
    size_t flag_count;
    const char *config_path; /* NULL: no file */
    bool is_strict;
    int secrets_fd; /* of a node: where the launcher's secrets are; -1: nowhere */
    const char *extras[STARTUP_EXTRAS_MAX]; /* values of the command's own options; NULL: not given;
                                               "" for one without a value */
};

/*
 * Returns -1 when the command should go on, with settings loaded, derived and checked; else the
 * exit code, and everything was said. `extras` are the command's own options. In both cases
 * startup_fini() follows.
 */
int startup_begin(struct startup *st, int argc, char **argv, bool is_launch,
                  const struct option_def *extras, size_t extra_count);
void startup_fini(struct startup *st);

/* The log that the settings ask for, on standard error. */
struct log startup_open_log(const struct startup *st);

/* Logs unknown names as warnings, and settings without effect. */
void startup_log(const struct startup *st, struct log *log);

/* Reads environment and file again, with the same flags; the caller owns the result. Only settings
 * that can change while running are to be taken from it, and none where its errors say that
 * something is wrong, which is logged. With a secret, this process is closed to others from now
 * on. */
void startup_reload(struct startup *st, struct log *log, struct settings *ret_settings);

/* Logs that settings that were read again name no secret, and that the one from before stays. */
void startup_tell_kept(struct log *log);

#endif
