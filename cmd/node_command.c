/* `repram node`: one node, from its settings to its exit code. */
#include "cmd/base/command.h"
#include "cmd/base/exit_code.h"
#include "cmd/base/log.h"
#include "cmd/notices.h"
#include "cmd/settings/acl_file.h"
#include "cmd/settings/handover.h"
#include "cmd/settings/settings_node.h"
#include "cmd/settings/startup.h"
#include "core/base/assert.h"
#include "core/base/mem.h"
#include "core/base/parse.h"
#include "net/crypto/key_text.h"
#include "net/node.h"

#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

enum extra { EXTRA_READY_FD, EXTRA_COUNT };

static const struct option_def extras[EXTRA_COUNT] = {
    [EXTRA_READY_FD] = {"ready-fd", 0, true},
};

struct node_process {
    struct startup startup;
    struct node_config config;
    struct log log;
    struct keyring_items keys; /* until the node has taken them; count 0: none */
    bool is_sealed;            /* there was a key among those that were named last */
};

__attribute__((format(printf, 4, 5))) static void hook_log(void *arg, enum log_level level,
                                                           const char *event, const char *format,
                                                           ...)
{
    struct node_process *p = arg;
    va_list args;
    va_start(args, format);
    log_vline(&p->log, level, event, format, args);
    va_end(args);
}

static void hook_notice(void *arg, const struct notice *notice)
{
    struct node_process *p = arg;
    struct notice_line line;
    notices_describe(notice, &line);
    log_line(&p->log, line.level, line.event, "%s", line.text);
}

static void hook_left_out(void *arg, enum notice_kind kind, uint32_t count)
{
    struct node_process *p = arg;
    struct notice_line line;
    notices_describe_left_out(kind, count, &line);
    log_line(&p->log, line.level, line.event, "%s", line.text);
}

static enum log_level hook_level(void *arg)
{
    const struct node_process *p = arg;
    return p->log.level;
}

/* The keys that the settings name, if any do: when the settings were read again and none is named
 * any more, a node goes on with those that it has. Nothing opens by an omission. */
static void take_keys(struct node_process *p, const struct settings *s)
{
    const char *text = settings_text(s, SETTING_CLUSTER_SECRET);
    char fault[KEY_TEXT_FAULT_SIZE];
    if (*text != '\0') {
        const enum rc rc = key_text_parse(text, strlen(text), &p->keys, fault);
        ASSERT(rc == RC_OK); /* it was judged as a setting */
        p->is_sealed = handover_sealing(s) != SEALING_OPEN;
    } else if (p->is_sealed) {
        startup_tell_kept(&p->log);
    }
}

static bool hook_keys(void *arg, struct keyring_items *ret_keys)
{
    struct node_process *p = arg;
    *ret_keys = p->keys;
    mem_wipe(&p->keys, sizeof(p->keys));
    return ret_keys->count > 0;
}

static void hook_reload(void *arg)
{
    struct node_process *p = arg;
    struct settings fresh;
    startup_reload(&p->startup, &p->log, &fresh);
    if (fresh.errors.count == 0) {
        p->log.level = (enum log_level)settings_number(&fresh, SETTING_LOG_LEVEL);
        take_keys(p, &fresh);
        log_line(&p->log, LOG_INFO, "config", "the log level is %s", log_level_name(p->log.level));
    }
    settings_fini(&fresh);
}

static struct acl *hook_acl(void *arg)
{
    struct node_process *p = arg;
    char why[ACL_FILE_WHY_SIZE];
    struct acl *acl = acl_file_read(settings_text(&p->startup.settings, SETTING_ACL_FILE), why);
    if (acl == NULL) {
        log_line(&p->log, LOG_ERROR, "acl", "%s", why);
    }
    return acl;
}

static uint64_t hook_lines_dropped(void *arg)
{
    const struct node_process *p = arg;
    return p->log.dropped;
}

/* The descriptor that the launcher reads the port from: open, and not handed on by anybody. */
static bool take_ready_fd(struct node_process *p)
{
    const char *text = p->startup.extras[EXTRA_READY_FD];
    uint64_t fd = 0;
    if (text == NULL) {
        return true;
    }
    if (parse_u64(text, strlen(text), 1 << 20, &fd) != RC_OK ||
        fcntl((int)fd, F_SETFD, FD_CLOEXEC) != 0) {
        (void)fprintf(stderr, "repram node: --ready-fd %s is not an open descriptor\n", text);
        return false;
    }
    p->config.ready_fd = (int)fd;
    return true;
}

static int exit_code_of(enum rc rc, struct log *log)
{
    if (rc == RC_OK) {
        return EXIT_CODE_OK;
    }
    log_line(log, LOG_ERROR, "exit", "the node ends: %s",
             rc == RC_EXISTS ? "no port is free" : rc_text(rc));
    if (rc == RC_EXISTS) {
        return EXIT_CODE_NO_PORT;
    }
    return rc == RC_CONFIG ? EXIT_CODE_BAD_CONFIG : EXIT_CODE_FAILED;
}

static int node_process_run(struct node_process *p)
{
    const enum rc rc = settings_node_config(&p->startup.settings, &p->config);
    if (rc != RC_OK) {
        report_print(&p->startup.settings.errors, "repram: ");
        return rc == RC_CONFIG ? EXIT_CODE_BAD_CONFIG : EXIT_CODE_FAILED;
    }
    if (!take_ready_fd(p)) {
        return EXIT_CODE_USAGE;
    }
    const bool is_launched = p->config.ready_fd >= 0;
    p->config.has_siblings =
        is_launched && settings_number(&p->startup.settings, SETTING_NODE_COUNT) > 1;
    p->log = startup_open_log(&p->startup);
    (void)snprintf(p->log.node, sizeof(p->log.node), "%s", p->config.name);
    if (!is_launched) {
        /* A launcher has said it once for all of its nodes. */
        startup_log(&p->startup, &p->log);
    }
    take_keys(p, &p->startup.settings);
    settings_wipe_secrets(&p->startup.settings);
    const struct node_hooks hooks = {.arg = p,
                                     .log = hook_log,
                                     .notice = hook_notice,
                                     .left_out = hook_left_out,
                                     .level = hook_level,
                                     .reload = hook_reload,
                                     .acl = hook_acl,
                                     .keys = hook_keys,
                                     .lines_dropped = hook_lines_dropped};
    return exit_code_of(node_run(&p->config, &hooks), &p->log);
}

/* Slabs and segments are 64 KiB. As mappings of their own they go back to the system when they are
 * freed, wherever they lie. The heap keeps little at its top. */
static void return_memory_early(void)
{
    enum { MAPPED_FROM_BYTES = 64 * 1024, TOP_PAD_BYTES = 16 * 1024 };
    (void)mallopt(M_MMAP_THRESHOLD, MAPPED_FROM_BYTES);
    (void)mallopt(M_TOP_PAD, TOP_PAD_BYTES);
}

int command_node(int argc, char **argv)
{
    struct node_process *p = calloc(1, sizeof(*p));
    if (p == NULL) {
        return EXIT_CODE_INTERNAL;
    }
    /* Started by way of /proc/self/exe, the process would be called `exe`. */
    (void)prctl(PR_SET_NAME, "repram");
    (void)signal(SIGPIPE, SIG_IGN);
    return_memory_early();
    int code = startup_begin(&p->startup, argc, argv, false, extras, EXTRA_COUNT);
    if (code < 0) {
        code = node_process_run(p);
    }
    startup_fini(&p->startup);
    free(p);
    return code;
}
