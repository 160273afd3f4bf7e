#include "cmd/launch/launch.h"

#include "cmd/base/command.h"
#include "cmd/base/exit_code.h"
#include "cmd/settings/handover.h"
#include "cmd/settings/local_host.h"
#include "core/base/mem.h"
#include "core/base/parse.h"
#include "core/base/units.h"
#include "net/sys/hostclock.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    START_TIMEOUT_MS = 30000,
    WORD_MAX = 1024, /* of a child's command line */
};

enum extra { EXTRA_REQUIRE_ALL, EXTRA_START_TIMEOUT, EXTRA_COUNT };

static const struct option_def extras[EXTRA_COUNT] = {
    [EXTRA_REQUIRE_ALL] = {"require-all", 0, false},
    [EXTRA_START_TIMEOUT] = {"start-timeout", 0, true},
};

void launch_relay(void *arg, const char *line, size_t len)
{
    struct launch *l = arg;
    (void)log_raw(&l->log, line, len);
}

/* ---- Children ---- */

/* The child's command line: the launcher's own flags, then what is this child's alone. */
struct words {
    char text[STARTUP_FLAGS_MAX + 8][WORD_MAX];
    char *argv[STARTUP_FLAGS_MAX + 9];
    size_t count;
};

__attribute__((format(printf, 2, 3))) static bool add_word(struct words *w, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const int len = vsnprintf(w->text[w->count], WORD_MAX, format, args);
    va_end(args);
    w->argv[w->count] = w->text[w->count];
    w->count++;
    return len >= 0 && len < WORD_MAX;
}

static bool fill_words(const struct launch *l, size_t child, struct words *w)
{
    const struct startup *st = &l->startup;
    w->count = 0;
    bool is_ok = add_word(w, "repram") && add_word(w, "node");
    for (size_t i = 0; i < st->flag_count && is_ok; i++) {
        char flag[SETTING_NAME_SIZE];
        is_ok = add_word(w, "--%s=%s", settings_flag(st->flags[i].id, flag), st->flags[i].value);
    }
    if (is_ok && st->config_path != NULL) {
        is_ok = add_word(w, "--config=%s", st->config_path);
    }
    is_ok = is_ok && add_word(w, "--node-id=%s", l->children[child].relay.name) &&
            add_word(w, "--ready-fd=%d", CHILD_READY_FD) &&
            (l->secrets_fd < 0 || add_word(w, "--" STARTUP_SECRETS_FLAG "=%d", CHILD_SECRETS_FD));
    w->argv[w->count] = NULL;
    return is_ok;
}

static void start_child(struct launch *l, size_t i)
{
    struct words *words = mem_new(1, sizeof(*words));
    const char *name = l->children[i].relay.name;
    formation_forget(&l->formation, i);
    if (!fill_words(l, i, words)) {
        log_line(&l->log, LOG_ERROR, "launch", "%s cannot be started: a flag is too long", name);
        (void)supervisor_exited(&l->supervisor, i, EXIT_CODE_USAGE, 0, hostclock_boot_ms());
    } else if (child_start(&l->children[i], words->argv, l->secrets_fd) != RC_OK) {
        log_line(&l->log, LOG_ERROR, "launch", "%s cannot be started: %s", name, strerror(errno));
        (void)supervisor_exited(&l->supervisor, i, EXIT_CODE_INTERNAL, 0, hostclock_boot_ms());
    } else {
        log_line(&l->log, LOG_DEBUG, "launch", "started %s as pid %d", name,
                 (int)l->children[i].pid);
    }
    free(words);
}

static void tell_end(struct launch *l, size_t i, int status, enum exit_verdict verdict)
{
    const char *name = l->children[i].relay.name;
    const unsigned long long wait =
        (unsigned long long)supervisor_wait_ms(&l->supervisor, i, hostclock_boot_ms());
    char how[64];
    if (WIFSIGNALED(status)) {
        (void)snprintf(how, sizeof(how), "was killed by signal %d", WTERMSIG(status));
    } else {
        (void)snprintf(how, sizeof(how), "ended with exit code %d", WEXITSTATUS(status));
    }
    switch (verdict) {
    case VERDICT_RESTART:
        log_line(&l->log, LOG_WARN, "launch", "%s %s; it is started again in %llu ms", name, how,
                 wait);
        break;
    case VERDICT_LOOP:
        log_line(&l->log, LOG_ERROR, "launch",
                 "CRASH LOOP: %s %s, the %dth time in a row within %d s of its start; tried again "
                 "every %d s",
                 name, how, LOOP_FAILURES, LOOP_LIFE_MS / 1000, RESTART_DELAY_MAX_MS / 1000);
        break;
    case VERDICT_FATAL:
        log_line(&l->log, LOG_ERROR, "launch", "%s %s; starting it again would not help: stopping",
                 name, how);
        break;
    case VERDICT_STOPPED:
        log_line(&l->log, LOG_DEBUG, "launch", "%s %s", name, how);
        break;
    }
}

/* All that ended: our children, and orphans that the kernel gave to us as PID 1. */
static void reap(struct launch *l)
{
    int status = 0;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
        for (size_t i = 0; i < l->count; i++) {
            if (l->children[i].pid != pid) {
                continue;
            }
            child_ended(&l->children[i], hostclock_wall_ms(), launch_relay, l);
            formation_forget(&l->formation, i);
            const enum exit_verdict verdict =
                supervisor_exited(&l->supervisor, i, WIFEXITED(status) ? WEXITSTATUS(status) : 0,
                                  WIFSIGNALED(status) ? WTERMSIG(status) : 0, hostclock_boot_ms());
            tell_end(l, i, status, verdict);
        }
    }
}

/* ---- Secrets ---- */

/* Puts them where each child that starts from now on reads them. */
static bool seal_secrets(struct launch *l, const struct settings *s)
{
    const int fd = handover_seal(s);
    if (fd < 0) {
        log_line(&l->log, LOG_ERROR, "launch", "the secrets cannot be handed to nodes: %s",
                 strerror(errno));
        return false;
    }
    if (l->secrets_fd >= 0) {
        (void)close(l->secrets_fd);
    }
    l->secrets_fd = fd;
    return true;
}

/* ---- Signals ---- */

static void reload(struct launch *l)
{
    struct settings fresh;
    startup_reload(&l->startup, &l->log, &fresh);
    if (fresh.errors.count == 0) {
        l->log.level = (enum log_level)settings_number(&fresh, SETTING_LOG_LEVEL);
        /* Nodes that run read the file themselves; these are for those that start. Without any, as
         * when they came by the environment, the ones from the start stay. */
        if (!handover_has_any(&fresh)) {
            if (l->sealing != SEALING_OPEN) {
                startup_tell_kept(&l->log);
            }
        } else if (seal_secrets(l, &fresh)) {
            l->sealing = handover_sealing(&fresh);
        }
    }
    settings_fini(&fresh);
}

static void take_signals(struct launch *l)
{
    struct signalfd_siginfo info;
    while (read(l->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo == SIGCHLD) {
            continue; /* reap() looks at every turn */
        }
        if (info.ssi_signo == SIGHUP) {
            reload(l);
        } else {
            log_line(&l->log, LOG_INFO, "launch", "%s: %s",
                     info.ssi_signo == SIGTERM ? "SIGTERM" : "SIGINT",
                     l->supervisor.is_stopping ? "again, so the nodes are killed"
                                               : "the nodes leave the cluster and stop");
        }
        supervisor_signal(&l->supervisor, (int)info.ssi_signo, hostclock_boot_ms());
    }
}

/* Signals arrive through a descriptor, which no start of a child can miss. */
static int open_signals(void)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGCHLD);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGHUP);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0) {
        return -1;
    }
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* ---- The loop ---- */

/* Does what the supervisor says; the exit code once it says to end, else -1. */
static int act(struct launch *l)
{
    struct supervisor_action action;
    while (supervisor_next(&l->supervisor, hostclock_boot_ms(), &action)) {
        switch (action.step) {
        case STEP_START:
            start_child(l, action.child);
            break;
        case STEP_SIGNAL:
            if (action.signal == SIGKILL) {
                log_line(&l->log, LOG_WARN, "launch", "%s has not ended in time and is killed",
                         l->children[action.child].relay.name);
            }
            if (l->children[action.child].pid > 0) {
                (void)kill(l->children[action.child].pid, action.signal);
            }
            break;
        case STEP_EXIT:
            return action.exit_code;
        }
    }
    return -1;
}

static int poll_timeout(const struct launch *l)
{
    const uint64_t supervisor = supervisor_deadline(&l->supervisor);
    const uint64_t ask = launch_ask_deadline(l);
    const uint64_t deadline = min_u64(supervisor, ask);
    const uint64_t now = hostclock_boot_ms();
    if (deadline <= now) {
        return 0;
    }
    /* A minute at most, so that the result fits into an int for any deadline. */
    return deadline - now > 60000 ? 60000 : (int)(deadline - now);
}

/* Adds a descriptor that is open. poll() refuses a list that is longer than the limit of open
 * descriptors, so closed ones must not stand in it. */
static void add_fd(struct pollfd **at, int fd)
{
    if (fd >= 0) {
        *(*at)++ = (struct pollfd){.fd = fd, .events = POLLIN};
    }
}

/* Whether something happened at a descriptor, asked in the order of add_fd(). */
static bool has_event(const struct pollfd **at, int fd)
{
    return fd >= 0 && (*at)++->revents != 0;
}

/* Waits until something happens and takes it in. */
static void turn(struct launch *l, struct pollfd *fds)
{
    struct pollfd *end = fds;
    add_fd(&end, l->signal_fd);
    for (size_t i = 0; i < l->count; i++) {
        add_fd(&end, l->children[i].out_fd);
        add_fd(&end, l->children[i].ready_fd);
    }
    /* When it fails no event is set, and signals and children are looked at all the same. */
    (void)poll(fds, (nfds_t)(end - fds), poll_timeout(l));
    const struct pollfd *at = fds + 1;
    for (size_t i = 0; i < l->count; i++) {
        const bool has_output = has_event(&at, l->children[i].out_fd);
        const bool has_line = has_event(&at, l->children[i].ready_fd);
        if (has_output) {
            child_read_output(&l->children[i], LAUNCH_OUTPUT_TURN_MAX, hostclock_wall_ms(),
                              launch_relay, l);
        }
        if (has_line && child_read_ready(&l->children[i])) {
            supervisor_serves(&l->supervisor, i);
            /* Somebody new can be asked. */
            l->ask_at_ms = hostclock_boot_ms();
            l->ask_gap_ms = 0;
        }
    }
    take_signals(l);
    reap(l);
}

static int run(struct launch *l)
{
    struct pollfd *fds = mem_new(1 + 2 * l->count, sizeof(*fds));
    int code = -1;
    while ((code = act(l)) < 0) {
        turn(l, fds);
        launch_ask(l, hostclock_boot_ms());
    }
    free(fds);
    reap(l);
    if (code == EXIT_CODE_NOT_FORMED) {
        log_line(&l->log, LOG_ERROR, "launch",
                 "not every node of %zu came up, and --require-all was asked: everything is "
                 "stopped",
                 l->count);
    }
    log_line(&l->log, LOG_INFO, "launch", "all nodes have ended");
    return code;
}

/* ---- Setting up ---- */

static bool take_extras(struct launch *l)
{
    const char *timeout = l->startup.extras[EXTRA_START_TIMEOUT];
    l->is_all_or_nothing = l->startup.extras[EXTRA_REQUIRE_ALL] != NULL;
    l->start_timeout_ms = START_TIMEOUT_MS;
    if (timeout != NULL &&
        (parse_duration_ms(timeout, strlen(timeout), &l->start_timeout_ms) != RC_OK ||
         l->start_timeout_ms == 0)) {
        (void)fprintf(stderr,
                      "repram launch: --start-timeout %s is not allowed; "
                      "allowed: " PARSE_DURATION_MS_TAKES "\n",
                      timeout);
        return false;
    }
    return true;
}

static void name_children(struct launch *l)
{
    const struct settings *s = &l->startup.settings;
    const char *base =
        settings_is_set(s, SETTING_NODE_ID) ? settings_text(s, SETTING_NODE_ID) : "flux-node";
    l->children = mem_new(l->count, sizeof(*l->children));
    for (size_t i = 0; i < l->count; i++) {
        char name[NAME_SIZE];
        (void)snprintf(name, sizeof(name), "%.59s-%u", base, (unsigned)(i + 1) % 10000U);
        child_init(&l->children[i], name, l->log.format);
    }
}

static void tell_start(struct launch *l)
{
    const struct settings *s = &l->startup.settings;
    const unsigned long long first = settings_number(s, SETTING_BASE_PORT);
    const unsigned long long last = first + settings_number(s, SETTING_MAX_PORTS) - 1;
    if (settings_is_set(s, SETTING_HTTP_PORT)) { /* of one node, as each needs its own */
        log_line(&l->log, LOG_INFO, "launch", "starting 1 node on port %s",
                 settings_text(s, SETTING_HTTP_PORT));
    } else {
        log_line(&l->log, LOG_INFO, "launch", "starting %zu node%s on ports %llu to %llu", l->count,
                 l->count == 1 ? "" : "s", first, last);
    }
}

static int launch_run(struct launch *l)
{
    const struct settings *s = &l->startup.settings;
    if (!take_extras(l)) {
        return EXIT_CODE_USAGE;
    }
    l->log = startup_open_log(&l->startup);
    startup_log(&l->startup, &l->log);
    l->sealing = handover_sealing(s);
    l->secrets_fd = -1;
    if (handover_has_any(s) && !seal_secrets(l, s)) {
        return EXIT_CODE_INTERNAL;
    }
    settings_wipe_secrets(&l->startup.settings);
    l->signal_fd = open_signals();
    if (l->signal_fd < 0) {
        log_line(&l->log, LOG_ERROR, "launch", "signals cannot be received: %s", strerror(errno));
        return EXIT_CODE_INTERNAL;
    }
    l->count = (size_t)settings_number(s, SETTING_NODE_COUNT);
    l->started_ms = hostclock_boot_ms();
    l->ask_at_ms = l->started_ms;
    name_children(l);
    (void)local_host(s, l->host);
    l->is_tls = settings_is_set(s, SETTING_TLS_CERT);
    formation_init(&l->formation, l->count, l->is_tls || settings_is_set(s, SETTING_ACL_FILE));
    supervisor_init(&l->supervisor, l->count, l->started_ms,
                    l->is_all_or_nothing ? l->started_ms + l->start_timeout_ms : NEVER,
                    settings_number(s, SETTING_DRAIN_GRACE));
    tell_start(l);
    const int code = run(l);
    supervisor_fini(&l->supervisor);
    formation_fini(&l->formation);
    free(l->children);
    (void)close(l->signal_fd);
    if (l->secrets_fd >= 0) {
        (void)close(l->secrets_fd);
    }
    return code;
}

int command_launch(int argc, char **argv)
{
    struct launch *l = calloc(1, sizeof(*l));
    if (l == NULL) {
        return EXIT_CODE_INTERNAL;
    }
    /* When nobody reads the log any more, lines are lost and nothing else. */
    (void)signal(SIGPIPE, SIG_IGN);
    int code = startup_begin(&l->startup, argc, argv, true, extras, EXTRA_COUNT);
    if (code < 0) {
        code = launch_run(l);
    }
    startup_fini(&l->startup);
    free(l);
    return code;
}
