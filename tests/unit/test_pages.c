#include "api_fixture.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const uint8_t INDEX[] = "<!doctype html><title>index</title>";
static const uint8_t PACKED[] = {0x1f, 0x8b, 8, 0};
static const struct page_data FILES[] = {
    {"index.html", "0123456789abcdef0123456789abcdef", INDEX, sizeof(INDEX) - 1, PACKED,
     sizeof(PACKED), "'sha256-abc='"},
    {"board.js", "aaaa456789abcdef0123456789abcdef", INDEX, 4, NULL, 0, NULL},
    {"network.html", "bbbb456789abcdef0123456789abcdef", INDEX, 5, NULL, 0, NULL},
    {NULL, NULL, NULL, 0, NULL, 0, NULL},
};

#define PLAIN_TAG "\"0123456789abcdef0123456789abcdef\""
#define PACKED_TAG "\"0123456789abcdef0123456789abcdef-gz\""

/* Answers of a table of files, or of a folder. */
static int serve(struct fixture *f, const char *folder, const char *target)
{
    const struct pages pages = {.files = FILES, .folder = folder};
    fixture_set_pages(f, FILES);
    const struct http_request rq = fixture_request(f, HTTP_GET_, target);
    fixture_reset(f);
    pages_answer(&pages, &rq, rq.route.rest, &f->rs);
    fixture_read_body(f);
    f->header_count = 0;
    return f->rs.status;
}

static int get(struct fixture *f, const char *target)
{
    return serve(f, "", target);
}

static void a_page_is_served_under_its_names_with_its_type(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *target, *type;
        size_t len;
    } rows[] = {{"/fade/", "text/html; charset=utf-8", sizeof(INDEX) - 1},
                {"/fade/index.html", "text/html; charset=utf-8", sizeof(INDEX) - 1},
                {"/fade/network", "text/html; charset=utf-8", 5},
                {"/fade/network.html?x", "text/html; charset=utf-8", 5},
                {"/fade/board.js", "text/javascript; charset=utf-8", 4}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(get(f, rows[i].target), 200);
        assert_header(f, "Content-Type", rows[i].type);
        assert_header(f, "Cache-Control", "no-cache");
        assert_int_equal(f->text.len - 1, rows[i].len);
        assert_memory_equal(buf_data(&f->text), INDEX, rows[i].len);
    }
}

static void every_page_may_use_only_its_own_origin(void **state)
{
    struct fixture *f = *state;
    char policy[512];
    static const char *const parts[] = {
        "default-src 'none'", "script-src 'self'",  "style-src 'self'",      "connect-src 'self'",
        "base-uri 'none'",    "form-action 'none'", "frame-ancestors 'none'"};
    assert_int_equal(get(f, "/fade/"), 200);
    assert_int_equal(fixture_header(f, "Content-Security-Policy", policy, sizeof(policy)), 1);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        assert_non_null(strstr(policy, parts[i]));
    }
    assert_null(strstr(policy, "unsafe"));
    assert_null(strstr(policy, "http"));
    assert_header(f, "X-Content-Type-Options", "nosniff");
    assert_header(f, "Referrer-Policy", "no-referrer");
}

static void only_the_style_that_is_inside_a_page_is_allowed_inside_it(void **state)
{
    struct fixture *f = *state;
    char policy[512];
    assert_int_equal(get(f, "/fade/"), 200);
    assert_int_equal(fixture_header(f, "Content-Security-Policy", policy, sizeof(policy)), 1);
    assert_non_null(strstr(policy, "; style-src 'self' 'sha256-abc='; "));
    assert_int_equal(get(f, "/fade/network"), 200);
    assert_int_equal(fixture_header(f, "Content-Security-Policy", policy, sizeof(policy)), 1);
    assert_non_null(strstr(policy, "; style-src 'self'; "));
}

static void a_client_that_unpacks_gets_the_packed_form_under_a_tag_of_its_own(void **state)
{
    struct fixture *f = *state;
    with_header(f, "Accept-Encoding", "deflate, gzip, br");
    assert_int_equal(get(f, "/fade/"), 200);
    assert_header(f, "Content-Encoding", "gzip");
    assert_header(f, "ETag", PACKED_TAG);
    assert_header(f, "Vary", "Accept-Encoding");
    assert_int_equal(f->text.len - 1, sizeof(PACKED));
    static const char *const refusals[] = {"gzip;q=0", "br", "*;q=0", "identity"};
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        with_header(f, "Accept-Encoding", refusals[i]);
        assert_int_equal(get(f, "/fade/"), 200);
        assert_no_header(f, "Content-Encoding");
        assert_header(f, "ETag", PLAIN_TAG);
        assert_header(f, "Vary", "Accept-Encoding");
    }
    with_header(f, "Accept-Encoding", "gzip");
    assert_int_equal(get(f, "/fade/board.js"), 200);
    assert_no_header(f, "Content-Encoding");
    assert_no_header(f, "Vary");
}

static void who_holds_a_page_is_told_that_it_is_unchanged(void **state)
{
    struct fixture *f = *state;
    static const char *const same[] = {PLAIN_TAG, "W/" PLAIN_TAG, "\"x\", " PLAIN_TAG, "*"};
    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
        with_header(f, "If-None-Match", same[i]);
        assert_int_equal(get(f, "/fade/"), 304);
        assert_header(f, "ETag", PLAIN_TAG);
        assert_int_equal(f->text.len - 1, 0);
    }
    static const char *const others[] = {"\"x\"", PACKED_TAG, "0123456789abcdef0123456789abcdef"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        with_header(f, "If-None-Match", others[i]);
        assert_int_equal(get(f, "/fade/"), 200);
    }
    with_header(f, "If-None-Match", PLAIN_TAG);
    with_header(f, "Accept-Encoding", "gzip");
    assert_int_equal(get(f, "/fade/"), 200);
}

static void other_names_are_not_found(void **state)
{
    struct fixture *f = *state;
    static const char *const targets[] = {"/fade/none",     "/fade/index", "/fade/board",
                                          "/fade/a/b",      "/fade/..",    "/fade/.x",
                                          "/fade/%2e%2e/x", "/fade//",     "/fade/board.js/"};
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        if (strcmp(targets[i], "/fade/index") == 0) {
            assert_int_equal(get(f, targets[i]), 200);
            continue;
        }
        assert_int_equal(get(f, targets[i]), 404);
        assert_problem(f, "not_found");
    }
}

static void paths_beside_it_are_not_pages(void **state)
{
    struct fixture *f = *state;
    static const char *const targets[] = {"/fad", "/fades", "/data/fade/"};
    fixture_set_pages(f, FILES);
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        assert_int_equal(ask(f, HTTP_GET_, targets[i]), 404);
    }
    assert_int_equal(ask(f, HTTP_GET_, "/fade"), 302);
    assert_int_equal(ask(f, HTTP_PUT_, "/fade"), 405);
    fixture_set_pages(f, NULL);
    assert_int_equal(ask(f, HTTP_PUT_, "/fade/"), 404);
}

static void the_folder_name_alone_leads_to_the_first_page(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(get(f, "/fade"), 302);
    assert_header(f, "Location", "fade/");
}

/* ---- A folder ---- */

static void write_file(const char *folder, const char *name, const char *text)
{
    char path[512];
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void remove_folder(const char *folder)
{
    static const char *const names[] = {"index.html", "link.html", "folder.html", "notes.md"};
    char path[512];
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        (void)remove(path);
    }
    assert_int_equal(rmdir(folder), 0);
}

static void a_folder_is_served_as_it_is_now_and_nothing_outside(void **state)
{
    struct fixture *f = *state;
    char folder[] = "/tmp/repram-pages-XXXXXX";
    char path[512], tag[128], other[128];
    assert_non_null(mkdtemp(folder));
    write_file(folder, "index.html", "one");
    write_file(folder, "notes.md", "no page");
    (void)snprintf(path, sizeof(path), "%s/link.html", folder);
    assert_int_equal(symlink("/etc/hostname", path), 0);
    (void)snprintf(path, sizeof(path), "%s/folder.html", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(serve(f, folder, "/fade/"), 200);
    assert_string_equal(body_text(f), "one");
    assert_int_equal(fixture_header(f, "ETag", tag, sizeof(tag)), 1);
    with_header(f, "If-None-Match", tag);
    assert_int_equal(serve(f, folder, "/fade/"), 304);
    write_file(folder, "index.html", "two");
    with_header(f, "If-None-Match", tag);
    assert_int_equal(serve(f, folder, "/fade/"), 200);
    assert_string_equal(body_text(f), "two");
    assert_int_equal(fixture_header(f, "ETag", other, sizeof(other)), 1);
    assert_string_not_equal(tag, other);
    static const char *const missing[] = {"/fade/board.js", "/fade/link", "/fade/folder",
                                          "/fade/notes.md", "/fade/../x", "/fade/passwd"};
    for (size_t i = 0; i < sizeof(missing) / sizeof(missing[0]); i++) {
        assert_int_equal(serve(f, folder, missing[i]), 404);
    }
    write_file(folder, "azAZ09-_.css", "named");
    assert_int_equal(serve(f, folder, "/fade/azAZ09-_.css"), 200);
    (void)snprintf(path, sizeof(path), "%s/azAZ09-_.css", folder);
    (void)remove(path);
    /* The longest name; one more byte would leave just that when it is cut. */
    char longest[PAGE_NAME_MAX + 1];
    (void)snprintf(longest, sizeof(longest), "%0*d.css", PAGE_NAME_MAX - 5, 0);
    write_file(folder, longest, "long");
    (void)snprintf(path, sizeof(path), "/fade/%s", longest);
    assert_int_equal(serve(f, folder, path), 200);
    (void)snprintf(path, sizeof(path), "/fade/%sx", longest);
    assert_int_equal(serve(f, folder, path), 404);
    (void)snprintf(path, sizeof(path), "%s/%s", folder, longest);
    (void)remove(path);
    remove_folder(folder);
    assert_int_equal(serve(f, folder, "/fade/"), 404);
}

static void the_embedded_files_have_names_types_and_different_tags(void **state)
{
    struct fixture *f = *state;
    const struct pages pages = {.files = PAGE_DATA};
    size_t count = 0;
    fixture_set_pages(f, PAGE_DATA);
    for (const struct page_data *file = PAGE_DATA; file->name != NULL; file++, count++) {
        char target[128];
        (void)snprintf(target, sizeof(target), "/fade/%s", file->name);
        const struct http_request rq = fixture_request(f, HTTP_GET_, target);
        fixture_reset(f);
        pages_answer(&pages, &rq, rq.route.rest, &f->rs);
        fixture_read_body(f);
        char type[64];
        assert_int_equal(f->rs.status, 200);
        assert_int_equal(fixture_header(f, "Content-Type", type, sizeof(type)), 1);
        assert_non_null(strchr(type, '/'));
        assert_int_equal(f->text.len - 1, file->len);
        assert_int_equal(strlen(file->tag), 32);
        for (const struct page_data *other = PAGE_DATA; other != file; other++) {
            assert_string_not_equal(other->tag, file->tag);
        }
    }
    assert_true(count > 0);
}

/* ---- Through the front door ---- */

static int setup_with_pages(void **state)
{
    const int rc = fixture_setup(state);
    struct fixture *f = *state;
    fixture_set_pages(f, FILES);
    return rc;
}

static void a_browser_at_the_root_is_sent_to_the_pages_and_curl_is_not(void **state)
{
    struct fixture *f = *state;
    with_header(f, "Accept", "text/html,application/xhtml+xml,*/*;q=0.8");
    assert_int_equal(ask(f, HTTP_GET_, "/"), 302);
    assert_header(f, "Location", "fade/");
    assert_header(f, "Vary", "Accept");
    with_header(f, "Accept", "*/*");
    assert_int_equal(ask(f, HTTP_GET_, "/"), 200);
    assert_header(f, "Vary", "Accept");
    assert_non_null(strstr(body_text(f), "curl"));
    const char *last = strstr(body_text(f), "In a browser: ");
    assert_non_null(last);
    assert_string_equal(last, "In a browser: http://HOST:PORT/fade/, a message board.\n");
    assert_int_equal(f->text.len, strlen(body_text(f)) + 1); /* with the fixture's NUL */
    assert_int_equal(ask(f, HTTP_GET_, "/v1/fade/"), 200);
    assert_int_equal(ask(f, HTTP_HEAD_, "/fade/network"), 200);
    assert_int_equal(ask(f, HTTP_POST_, "/fade/"), 405);
    assert_header(f, "Allow", "GET, HEAD, OPTIONS");
}

static void without_pages_there_is_help_only(void **state)
{
    struct fixture *f = *state;
    with_header(f, "Accept", "text/html");
    assert_int_equal(ask(f, HTTP_GET_, "/"), 200);
    assert_null(strstr(body_text(f), "/fade/"));
    assert_int_equal(f->text.len, strlen(body_text(f)) + 1);
    assert_string_equal(strstr(body_text(f), "There is no delete"),
                        "There is no delete, by design.\n");
    assert_int_equal(ask(f, HTTP_GET_, "/fade/"), 404);
    assert_problem(f, "not_found");
    assert_int_equal(ask(f, HTTP_GET_, "/fade"), 404);
}

/* /fade and what lies under it are two rows of the table, and one route on the metrics page. */
static void pages_are_timed_as_one_route(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(ask(f, HTTP_GET_, "/fade"), 302);
    assert_int_equal(ask(f, HTTP_GET_, "/fade/"), 200);
    assert_int_equal(ask(f, HTTP_GET_, "/v1/fade/board.js"), 200);
    assert_int_equal(ask(f, HTTP_GET_, "/metrics"), 200);
    assert_non_null(
        strstr(body_text(f), "duration_seconds_count{route=\"/fade\",method=\"GET\"} 3\n"));
    assert_null(strstr(body_text(f), "route=\"other\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_page_is_served_under_its_names_with_its_type,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(every_page_may_use_only_its_own_origin, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(only_the_style_that_is_inside_a_page_is_allowed_inside_it,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(
            a_client_that_unpacks_gets_the_packed_form_under_a_tag_of_its_own, fixture_setup,
            fixture_teardown),
        cmocka_unit_test_setup_teardown(who_holds_a_page_is_told_that_it_is_unchanged,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(other_names_are_not_found, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(paths_beside_it_are_not_pages, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(the_folder_name_alone_leads_to_the_first_page,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(a_folder_is_served_as_it_is_now_and_nothing_outside,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(the_embedded_files_have_names_types_and_different_tags,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(a_browser_at_the_root_is_sent_to_the_pages_and_curl_is_not,
                                        setup_with_pages, fixture_teardown),
        cmocka_unit_test_setup_teardown(without_pages_there_is_help_only, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(pages_are_timed_as_one_route, setup_with_pages,
                                        fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
