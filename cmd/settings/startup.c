#include "cmd/settings/startup.h"

#include "cmd/base/exit_code.h"
#include "cmd/base/table.h"
#include "cmd/settings/handover.h"
#include "cmd/settings/help.h"
#include "cmd/settings/host_limits.h"
#include "cmd/settings/settings_check.h"
#include "core/base/assert.h"
#include "core/base/mem.h"
#include "core/base/parse.h"
#include "net/node.h"
#include "net/out/resolve.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum common_option {
    OPTION_CONFIG,
    OPTION_STRICT,
    OPTION_PRINT_CONFIG,
    OPTION_CHECK_CONFIG,
    OPTION_HELP,
    OPTION_SECRETS_FD,
    OPTION_COUNT,
};

static const struct option_def common[OPTION_COUNT] = {
    [OPTION_CONFIG] = {"config", 0, true},
    [OPTION_STRICT] = {"strict", 0, false},
    [OPTION_PRINT_CONFIG] = {"print-config", 0, false},
    [OPTION_CHECK_CONFIG] = {"check-config", 0, false},
    [OPTION_HELP] = {"help", 'h', false},
    [OPTION_SECRETS_FD] = {STARTUP_SECRETS_FLAG, 0, true}, /* what launch starts its nodes with */
};

struct asked {
    bool is_print, is_check, is_help;
    const char *secrets_fd; /* as it was given; NULL: not */
};

/* Every option of the command: the common ones, then the settings' flags, then its own. */
enum { OWN_FIRST = (int)OPTION_COUNT + (int)SETTING_COUNT };

struct option_table {
    struct option_def defs[OWN_FIRST + STARTUP_EXTRAS_MAX];
    char flags[SETTING_COUNT][SETTING_NAME_SIZE];
    size_t count;
};

static void fill_table(struct option_table *table, const struct option_def *extras,
                       size_t extra_count)
{
    memcpy(table->defs, common, sizeof(common));
    for (int id = 0; id < SETTING_COUNT; id++) {
        const char *flag = settings_flag((enum setting_id)id, table->flags[id]);
        /* A setting without a flag gets a name that no word of a command line can be. */
        table->defs[OPTION_COUNT + id] = (struct option_def){*flag != '\0' ? flag : "=", 0, true};
    }
    if (extra_count > 0) {
        memcpy(table->defs + OWN_FIRST, extras, extra_count * sizeof(*extras));
    }
    table->count = OWN_FIRST + extra_count;
}

static void take_common(struct startup *st, enum common_option option, const char *value,
                        struct asked *asked)
{
    switch (option) {
    case OPTION_CONFIG:
        st->config_path = value;
        break;
    case OPTION_STRICT:
        st->is_strict = true;
        break;
    case OPTION_PRINT_CONFIG:
        asked->is_print = true;
        break;
    case OPTION_CHECK_CONFIG:
        asked->is_check = true;
        break;
    case OPTION_HELP:
        asked->is_help = true;
        break;
    case OPTION_SECRETS_FD:
        asked->secrets_fd = value;
        break;
    case OPTION_COUNT:
        break;
    }
}

static int usage(const char *command, const char *problem)
{
    (void)fprintf(stderr, "repram %s: %s; see repram %s --help\n", command, problem, command);
    return EXIT_CODE_USAGE;
}

static int read_options(struct startup *st, int argc, char **argv, const struct option_def *extras,
                        size_t extra_count, struct asked *asked)
{
    struct option_table table;
    fill_table(&table, extras, extra_count);
    struct options options = options_begin(argc, argv, table.defs, table.count);
    const char *value = NULL;
    for (int at; (at = options_next(&options, &value)) != OPTIONS_END;) {
        if (at == OPTIONS_LISTED) {
            return EXIT_CODE_OK;
        }
        if (at == OPTIONS_BAD) {
            return usage(argv[0], options.error);
        }
        if (at == OPTIONS_WORD) {
            char problem[256];
            (void)snprintf(problem, sizeof(problem), "unexpected word '%.64s'", value);
            return usage(argv[0], problem);
        }
        if (at < OPTION_COUNT) {
            take_common(st, (enum common_option)at, value, asked);
        } else if (at >= OWN_FIRST) {
            st->extras[at - OWN_FIRST] = value != NULL ? value : "";
        } else if (st->flag_count == STARTUP_FLAGS_MAX) {
            return usage(argv[0], "too many flags");
        } else {
            st->flags[st->flag_count++] =
                (struct settings_flag){(enum setting_id)(at - OPTION_COUNT), value};
        }
    }
    return -1;
}

/* Reads and parses the file. A file with errors is reported and counts as empty. */
static void load_file(const char *path, bool is_read_again, struct config_file *file,
                      struct report *errors)
{
    char *text = NULL;
    size_t len = 0;
    unsigned line = 0;
    enum rc rc = (is_read_again ? config_file_read_again
                                : config_file_read)(path, CONFIG_FILE_BYTES_MAX, &text, &len);
    if (rc != RC_OK) {
        report_add(errors,
                   "--config %.256s cannot be read: %s; allowed: a readable file of at most 64 KiB",
                   path, config_file_why(rc));
        return;
    }
    rc = config_file_parse(file, text, len, &line);
    mem_wipe(text, len);
    free(text);
    if (rc != RC_OK) {
        report_add(errors, "--config %.256s, line %u is %s; allowed: KEY=value", path, line,
                   rc_text(rc));
    }
}

/* What the launcher handed over; its descriptor has done its work then. */
static void load_handed(const struct startup *st, struct config_file *file, struct report *errors)
{
    const enum rc rc = st->secrets_fd >= 0 ? handover_read(st->secrets_fd, file) : RC_OK;
    if (rc != RC_OK) {
        report_add(errors, "--%s %d cannot be read: %s", STARTUP_SECRETS_FLAG, st->secrets_fd,
                   rc_text(rc));
    }
    if (st->secrets_fd >= 0) {
        (void)close(st->secrets_fd);
    }
}

/* `is_shared`: nodes are to read the settings' file too. `is_again`: this process has read its
 * files before. */
static void load(struct startup *st, bool is_shared, bool is_again, struct settings *ret_settings)
{
    struct config_file *file = mem_new(1, sizeof(*file));
    struct config_file *handed = mem_new(1, sizeof(*handed));
    struct report *errors = mem_new(1, sizeof(*errors));
    if (st->config_path != NULL) {
        load_file(st->config_path, is_shared || is_again, file, errors);
    }
    load_handed(st, handed, errors);
    st->secrets_fd = -1;
    const struct settings_sources sources = {.flags = st->flags,
                                             .flag_count = st->flag_count,
                                             .environment = environ,
                                             .file_name = st->config_path,
                                             .is_read_again = is_again,
                                             .handed = handed,
                                             .file = file};
    settings_load(ret_settings, &sources);
    if (errors->count > 0) {
        report_add(&ret_settings->errors, "%.*s", (int)strcspn(errors->text, "\n"), errors->text);
    }
    config_file_fini(file);
    config_file_fini(handed);
    free(handed);
    free(errors);
    free(file);
}

static void print_config(const struct settings *s)
{
    static const char *const headings[] = {"NAME", "VALUE", "ORIGIN"};
    struct table *table = table_new(headings, 3);
    for (int id = 0; id < SETTING_COUNT; id++) {
        const char *const cells[] = {settings_def((enum setting_id)id)->name,
                                     settings_shown(s, (enum setting_id)id), s->values[id].from};
        table_add(table, cells);
    }
    table_print(table);
    table_free(table);
}

/* A name that is not in DNS now may be there later, so that is no fault of the configuration. Says
 * so; a node asks again for the domain, and ends for want of its own address. */
static bool name_resolves(const struct startup *st, enum setting_id id)
{
    const struct settings *s = &st->settings;
    struct addr addr;
    const char *why = "";
    size_t count = 0;
    if (!settings_is_set(s, id) ||
        resolve_wait(settings_text(s, id), 0, &addr, 1, &count, &why) == RC_OK) {
        return true;
    }
    (void)fprintf(stderr, "repram: %s%s=%s (%s) does not resolve now: %s\n",
                  st->is_strict ? "" : "warning: ", settings_def(id)->name, settings_text(s, id),
                  s->values[id].from, why);
    return false;
}

/* Whether --check-config may call it good. */
static bool are_names_good(const struct startup *st)
{
    resolve_be_brief();
    const bool is_domain_there = name_resolves(st, SETTING_DISCOVERY_DOMAIN);
    const bool is_address_there = name_resolves(st, SETTING_ADDRESS);
    return (is_domain_there && is_address_there) || !st->is_strict;
}

/* Loads the settings, and judges them for this machine. */
static void prepare(struct startup *st, bool is_launch)
{
    struct settings *s = &st->settings;
    const struct settings_host host = {host_limits_memory(""), host_limits_descriptors()};
    load(st, is_launch, false, s);
    if (handover_has_any(s)) {
        handover_close_process();
    }
    handover_wipe_environment(environ);
    settings_check_derive(s, &host);
    if (s->errors.count == 0) {
        /* Pairs are judged only when each value is right by itself. */
        settings_check(s, &host, is_launch);
    }
}

static bool is_bad(const struct startup *st)
{
    const struct settings *s = &st->settings;
    return s->errors.count > 0 || (st->is_strict && s->warnings.count > 0);
}

/* Shows what is wrong with the settings and what was asked for. Returns the exit code. */
static int show(const struct startup *st, const struct asked *asked)
{
    const struct settings *s = &st->settings;
    report_print(&s->errors, "repram: ");
    report_print(&s->warnings, st->is_strict ? "repram: " : "repram: warning: ");
    report_print(&s->remarks, "repram: note: ");
    if (asked->is_print) {
        print_config(s);
    }
    if (is_bad(st) || (asked->is_check && !are_names_good(st))) {
        return EXIT_CODE_BAD_CONFIG;
    }
    if (asked->is_check && !asked->is_print) {
        (void)puts("the configuration is good");
    }
    return EXIT_CODE_OK;
}

/* Only an open descriptor is one. */
static bool take_secrets_fd(struct startup *st, const char *text)
{
    uint64_t fd = 0;
    if (text == NULL) {
        return true;
    }
    if (parse_u64(text, strlen(text), 1 << 20, &fd) != RC_OK ||
        fcntl((int)fd, F_SETFD, FD_CLOEXEC) != 0) {
        return false;
    }
    st->secrets_fd = (int)fd;
    return true;
}

int startup_begin(struct startup *st, int argc, char **argv, bool is_launch,
                  const struct option_def *extras, size_t extra_count)
{
    struct asked asked = {.is_print = false};
    ASSERT(extra_count <= STARTUP_EXTRAS_MAX);
    memset(st, 0, sizeof(*st));
    st->secrets_fd = -1;
    const int code = read_options(st, argc, argv, extras, extra_count, &asked);
    if (code >= 0) {
        return code;
    }
    if (asked.is_help) {
        return help_command(stdout, argv[0]) == RC_OK ? EXIT_CODE_OK : EXIT_CODE_INTERNAL;
    }
    if (!take_secrets_fd(st, asked.secrets_fd)) {
        return usage(argv[0], "--" STARTUP_SECRETS_FLAG " is for nodes that a launcher starts");
    }
    prepare(st, is_launch);
    return is_bad(st) || asked.is_print || asked.is_check ? show(st, &asked) : -1;
}

void startup_fini(struct startup *st)
{
    settings_fini(&st->settings);
}

static void log_report(struct log *log, enum log_level level, const struct report *report)
{
    for (const char *at = report->text; *at != '\0';) {
        const int len = (int)strcspn(at, "\n");
        log_line(log, level, "config", "%.*s", len, at);
        at += len + 1;
    }
}

/* Whether other hosts reach the port, and nothing tells a member of the cluster from whoever does.
 */
static bool is_open_to_others(const struct settings *s)
{
    return handover_sealing(s) == SEALING_OPEN && !settings_check_is_local(s);
}

void startup_log(const struct startup *st, struct log *log)
{
    if (is_open_to_others(&st->settings)) {
        log_line(log, LOG_WARN, "secret",
                 "open: whoever reaches the port can be a member, and read and write everything; "
                 "repram keygen makes a key for REPRAM_CLUSTER_SECRET_FILE, REPRAM_BIND=127.0.0.1 "
                 "keeps others out");
    }
    log_report(log, LOG_WARN, &st->settings.warnings);
    log_report(log, LOG_INFO, &st->settings.remarks);
}

struct log startup_open_log(const struct startup *st)
{
    const struct settings *s = &st->settings;
    return log_init(STDERR_FILENO, (enum log_level)settings_number(s, SETTING_LOG_LEVEL),
                    (enum log_format)settings_number(s, SETTING_LOG_FORMAT));
}

void startup_reload(struct startup *st, struct log *log, struct settings *ret_settings)
{
    load(st, true, true, ret_settings);
    if (handover_has_any(ret_settings)) {
        handover_close_process(); /* it may be the first secret that it has */
    }
    if (ret_settings->errors.count == 0 && settings_is_set(ret_settings, SETTING_CLUSTER_SECRET) &&
        settings_check_is_exposed(&st->settings, ret_settings)) {
        report_add(&ret_settings->errors,
                   "REPRAM_CLUSTER_SECRET has no key any more, and with REPRAM_ACL_FILE nobody "
                   "else may read as a node does");
    }
    if (ret_settings->errors.count > 0) {
        /* The rules for clients and certificates are files of their own, and read all the same. */
        log_line(log, LOG_ERROR, "config", "no setting has changed: %.*s",
                 (int)strcspn(ret_settings->errors.text, "\n"), ret_settings->errors.text);
    }
}

void startup_tell_kept(struct log *log)
{
    log_line(log, LOG_INFO, "secret",
             "REPRAM_CLUSTER_SECRET is in no file that is read again: the keys stay as they are");
}
