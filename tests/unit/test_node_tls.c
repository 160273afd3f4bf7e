#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/node_tls.h"
#include "tests/unit/failing_alloc.h"
#include "tls_folder.h"

#include <event2/event.h>

enum { SAID_SIZE = 4096 };

struct rig {
    struct event_base *base;
    struct tls_folder folder;
    struct tls_paper paper;
    struct node_config config;
    struct node_hooks hooks;
    struct node_tls *tls;
    char said[SAID_SIZE]; /* level and text of each line */
};

static void on_log(void *arg, enum log_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void on_log(void *arg, enum log_level level, const char *event, const char *format, ...)
{
    struct rig *rig = arg;
    const size_t len = strlen(rig->said);
    char text[SAID_SIZE / 4];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    (void)snprintf(rig->said + len, sizeof(rig->said) - len, "%d %s %s\n", (int)level, event, text);
}

static void put(struct rig *rig, int from_days, int until_days)
{
    tls_paper_free(&rig->paper);
    tls_paper_make(&rig->paper, NULL, EVP_EC_gen("P-256"), from_days, until_days);
    tls_folder_put(rig->folder.cert, rig->paper.cert_text);
    tls_folder_put(rig->folder.key, rig->paper.key_text);
}

static int set_up(void **state)
{
    static struct rig rig;
    memset(&rig, 0, sizeof(rig));
    rig.base = event_base_new();
    tls_folder_make(&rig.folder);
    put(&rig, -1, 30);
    (void)snprintf(rig.config.tls_cert, sizeof(rig.config.tls_cert), "%s", rig.folder.cert);
    (void)snprintf(rig.config.tls_key, sizeof(rig.config.tls_key), "%s", rig.folder.key);
    rig.hooks = (struct node_hooks){.arg = &rig, .log = on_log};
    *state = &rig;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *rig = *state;
    node_tls_free(rig->tls);
    event_base_free(rig->base);
    tls_folder_remove(&rig->folder);
    tls_paper_free(&rig->paper);
    return 0;
}

static void begin(struct rig *rig)
{
    assert_int_equal(node_tls_new(rig->base, &rig->config, &rig->hooks, &rig->tls), RC_OK);
}

/* What was said since this was last asked. */
static bool says(struct rig *rig, const char *line)
{
    const bool is_said = strstr(rig->said, line) != NULL;
    rig->said[0] = '\0';
    return is_said;
}

static int make_due(const struct event_base *base, const struct event *event, void *arg)
{
    (void)base;
    (void)arg;
    event_active((struct event *)(uintptr_t)event, EV_TIMEOUT, 0);
    return 0;
}

/* Half a minute later. */
static void later(struct rig *rig)
{
    assert_int_equal(event_base_foreach_event(rig->base, make_due, NULL), 0);
    (void)event_base_loop(rig->base, EVLOOP_NONBLOCK);
}

static struct api_figures figures_of(const struct rig *rig)
{
    struct api_figures figures = {.tls_expiry_s = -1};
    node_tls_figures(rig->tls, &figures);
    return figures;
}

static void without_a_certificate_nothing_is_looked_at(void **state)
{
    struct rig *rig = *state;
    rig->config.tls_cert[0] = '\0';
    begin(rig);
    node_tls_reload(rig->tls);
    later(rig);
    assert_false(tls_context_is_serving(node_tls_context(rig->tls)));
    assert_string_equal(rig->said, "");
    assert_int_equal(figures_of(rig).tls_expiry_s, 0);
    assert_int_equal(figures_of(rig).tls_taken, 0);
}

static void files_that_cannot_be_served_end_the_start(void **state)
{
    struct rig *rig = *state;
    tls_folder_put(rig->folder.key, "none");
    assert_int_equal(node_tls_new(rig->base, &rig->config, &rig->hooks, &rig->tls), RC_CONFIG);
    assert_null(rig->tls);
    assert_true(says(rig, "3 tls "));
}

static void a_new_certificate_is_found_by_itself(void **state)
{
    struct rig *rig = *state;
    begin(rig);
    assert_true(says(rig, "1 tls HTTPS with a certificate that is valid until 20"));
    const int64_t end = figures_of(rig).tls_expiry_s;
    later(rig);
    assert_string_equal(rig->said, "");
    put(rig, -1, 60);
    later(rig);
    assert_true(says(rig, "1 tls changed to a certificate that is valid until 20"));
    assert_true(figures_of(rig).tls_expiry_s > end);
    assert_int_equal(figures_of(rig).tls_taken, 2);
    assert_int_equal(figures_of(rig).tls_refused, 0);
}

static void one_that_is_no_good_is_said_once_and_at_each_signal(void **state)
{
    struct rig *rig = *state;
    begin(rig);
    const int64_t end = figures_of(rig).tls_expiry_s;
    tls_folder_put(rig->folder.cert, "none");
    later(rig);
    assert_true(says(rig, "3 tls "));
    later(rig);
    assert_string_equal(rig->said, "");
    node_tls_reload(rig->tls);
    assert_true(says(rig, "the certificate from before is served"));
    assert_int_equal(figures_of(rig).tls_refused, 2);
    assert_int_equal(figures_of(rig).tls_expiry_s, end);
    tls_folder_put(rig->folder.cert, rig->paper.cert_text);
    node_tls_reload(rig->tls);
    assert_true(says(rig, "1 tls changed to"));
}

static void one_that_is_good_again_is_taken_once(void **state)
{
    struct rig *rig = *state;
    begin(rig);
    tls_folder_put(rig->folder.cert, "none");
    later(rig);
    tls_folder_put(rig->folder.cert, rig->paper.cert_text);
    later(rig);
    const uint64_t taken = figures_of(rig).tls_taken;
    node_tls_reload(rig->tls);
    node_tls_reload(rig->tls);
    assert_int_equal(figures_of(rig).tls_taken, taken);
}

static void wrong_dates_are_said_and_served(void **state)
{
    static const struct {
        int from_days, until_days;
        const char *said; /* behind the line that it is served */
    } cases[] = {
        {-30, -1, "3 tls the certificate has expired at 20"},
        {1, 30, "3 tls the certificate is not valid before 20"},
        {-30, 6, "2 tls the certificate expires soon, at 20"},
    };
    struct rig *rig = *state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        put(rig, cases[i].from_days, cases[i].until_days);
        begin(rig);
        assert_true(says(rig, cases[i].said));
        assert_true(tls_context_is_serving(node_tls_context(rig->tls)));
        later(rig);
        assert_string_equal(rig->said, "");
        node_tls_reload(rig->tls);
        assert_true(says(rig, cases[i].said)); /* whoever asks hears it again */
        node_tls_free(rig->tls);
        rig->tls = NULL;
    }
    put(rig, -30, 8);
    begin(rig);
    assert_false(says(rig, "soon"));
}

static void story(void *arg)
{
    struct rig *rig = arg;
    struct node_tls *tls = NULL;
    rig->said[0] = '\0';
    const enum rc rc = node_tls_new(rig->base, &rig->config, &rig->hooks, &tls);
    assert_true(rc == RC_OK || (rc == RC_NO_MEMORY && failing_alloc_has_failed()));
    node_tls_free(tls);
}

static void without_memory_a_node_does_not_begin(void **state)
{
    struct rig *rig = *state;
    begin(rig); /* a base takes memory with its first timer */
    assert_true(failing_alloc_each(story, rig) > 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(without_a_certificate_nothing_is_looked_at),
        TEST(files_that_cannot_be_served_end_the_start),
        TEST(a_new_certificate_is_found_by_itself),
        TEST(one_that_is_no_good_is_said_once_and_at_each_signal),
        TEST(one_that_is_good_again_is_taken_once),
        TEST(wrong_dates_are_said_and_served),
        TEST(without_memory_a_node_does_not_begin),
    };
#undef TEST
    failing_alloc_hook();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
