#include "cmd/launch/line_relay.h"

#include <cjson/cJSON.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct seen {
    char text[64 * 1024];
    size_t len;
    int count;
    size_t longest;
};

static void on_line(void *arg, const char *line, size_t len)
{
    struct seen *seen = arg;
    seen->count++;
    seen->longest = len > seen->longest ? len : seen->longest;
    if (seen->len + len < sizeof(seen->text)) {
        memcpy(seen->text + seen->len, line, len);
        seen->len += len;
        seen->text[seen->len] = '\0';
    }
}

static struct seen seen;
static struct line_relay relay;

static int setup(void **state)
{
    (void)state;
    memset(&seen, 0, sizeof(seen));
    line_relay_init(&relay, "flux-node-1", LOG_TEXT);
    return 0;
}

static void feed(const char *text)
{
    line_relay_feed(&relay, text, strlen(text), 0, on_line, &seen);
}

static void what_a_terminal_might_obey_is_not_passed_on(void **state)
{
    (void)state;
    feed("a\x1b[2J\xc2\x9b\xff\n");
    assert_string_equal(seen.text, "[flux-node-1] a?[2J??\n");
}

static void every_line_carries_the_name(void **state)
{
    (void)state;
    feed("one\ntwo\n\n");
    assert_string_equal(seen.text, "[flux-node-1] one\n[flux-node-1] two\n[flux-node-1] \n");
}

static void a_line_in_pieces_comes_out_whole(void **state)
{
    (void)state;
    feed("on");
    feed("e li");
    assert_int_equal(seen.count, 0);
    feed("ne\nrest");
    assert_string_equal(seen.text, "[flux-node-1] one line\n");
    line_relay_end(&relay, 0, on_line, &seen);
    assert_string_equal(seen.text, "[flux-node-1] one line\n[flux-node-1] rest\n");
    line_relay_end(&relay, 0, on_line, &seen);
    assert_int_equal(seen.count, 2);
    feed("x");
    line_relay_end(&relay, 0, on_line, &seen);
    assert_int_equal(seen.count, 3);
}

static void an_endless_line_comes_out_in_bounded_pieces(void **state)
{
    (void)state;
    for (int i = 0; i < 1000; i++) {
        feed("0123456789");
    }
    feed("\n");
    assert_int_equal(seen.count, 3);
    assert_true(seen.longest <= LOG_LINE_MAX);
}

static void json_objects_pass_and_other_lines_are_wrapped(void **state)
{
    (void)state;
    line_relay_init(&relay, "flux-node-1", LOG_JSON);
    feed("{\"event\":\"claim\"}\n");
    assert_string_equal(seen.text, "{\"event\":\"claim\"}\n");
    seen.len = 0;
    feed("repram: assertion failed: \"x\"\n\n");
    cJSON *root = cJSON_Parse(seen.text);
    assert_non_null(root);
    assert_string_equal(cJSON_GetObjectItemCaseSensitive(root, "node")->valuestring, "flux-node-1");
    assert_string_equal(cJSON_GetObjectItemCaseSensitive(root, "message")->valuestring,
                        "repram: assertion failed: \"x\"");
    cJSON_Delete(root);
    assert_int_equal(seen.count, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_a_terminal_might_obey_is_not_passed_on, setup),
        cmocka_unit_test_setup(every_line_carries_the_name, setup),
        cmocka_unit_test_setup(a_line_in_pieces_comes_out_whole, setup),
        cmocka_unit_test_setup(an_endless_line_comes_out_in_bounded_pieces, setup),
        cmocka_unit_test_setup(json_objects_pass_and_other_lines_are_wrapped, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
