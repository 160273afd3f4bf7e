/* repram-sim: tells stories of large clusters on virtual time, and judges them. */
#include "tests/sim/options.h"
#include "tests/sim/prefault.h"
#include "tests/sim/report.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum {
    EXIT_BROKEN = 1,
    EXIT_USAGE = 64, /* sysexits.h */
    PROGRESS_MS = 100,
    MILLION = 1000000,
    THOUSAND = 1000,
};

/* The progress line on the terminal, and the last words after an assertion. */
static volatile uint64_t virtual_us; /* of the story under way */
static volatile uint64_t seed_now;
static struct timespec told_at;

/* At most ten times a second of real time. */
static void show_progress(const struct story *s, uint64_t done_ms, uint32_t told)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    const int64_t since_ms = (int64_t)(now.tv_sec - told_at.tv_sec) * THOUSAND +
                             (now.tv_nsec - told_at.tv_nsec) / MILLION;
    if (since_ms < PROGRESS_MS) {
        return;
    }
    told_at = now;
    (void)fprintf(stderr, "\rseed %" PRIu64 ": ", s->seed);
    if (told > 0) {
        (void)fprintf(stderr, "%u of %u nodes know all \033[K", told, s->nodes);
    } else {
        (void)fprintf(stderr, "%5.1f of %.1f min \033[K", (double)done_ms / 60000,
                      (double)s->run_ms / 60000);
    }
}

/* An assertion of the engine is a broken invariant too: it must name its seed. */
static void tell_abort(int number)
{
    char line[128];
    (void)number;
    const int len = snprintf(line, sizeof(line),
                             "broken: seed %" PRIu64 " at %" PRIu64 ".%03" PRIu64
                             " s: an assertion failed, see above\n",
                             seed_now, virtual_us / MILLION, virtual_us % MILLION / THOUSAND);
    (void)!write(STDOUT_FILENO, line, (size_t)len);
}

int main(int argc, char **argv)
{
    struct options o;
    if (!options_parse(&o, argc, argv)) {
        return EXIT_USAGE;
    }
    if (o.is_help != 0) {
        options_help();
        return 0;
    }
    const bool is_terminal = isatty(STDERR_FILENO) == 1;
    o.story.progress = is_terminal ? show_progress : NULL;
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    (void)signal(SIGABRT, tell_abort);
    struct prefault *memory = prefault_begin(o.nodes_min);
    struct figures figures = {.seeds = 0};
    for (uint64_t seed = o.seed_first; seed <= o.seed_last; seed++) {
        struct story story;
        options_story(&o, seed, &story);
        seed_now = seed;
        story_run(&story, &figures, &virtual_us);
    }
    prefault_end(memory);
    if (is_terminal) {
        (void)fprintf(stderr, "\r\033[K");
    }
    (o.is_json != 0 ? report_json : report_table)(&o, &figures);
    const bool is_broken = figures.broken > 0;
    figures_fini(&figures);
    return is_broken ? EXIT_BROKEN : 0;
}
