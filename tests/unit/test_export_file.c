#include "cmd/client/export_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define HEAD "{\"version\":1,\"exported_at\":\"x\"}\n"
#define ENTRY(key) "{\"key\":\"" key "\",\"value\":\"\",\"expires\":1,\"created\":1}\n"

static char path[] = "/tmp/repram-export-XXXXXX";

static int make_file(void **state)
{
    const int fd = mkstemp(path);
    (void)state;
    return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

static void fill(const char *text)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void assert_content(const char *expected)
{
    char text[1024] = "";
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    assert_int_equal(fclose(file), 0);
    assert_string_equal(text, expected);
}

/* Opens it, writes a letter, and closes it. */
static void write_letter(struct export_file *f, bool resumes)
{
    assert_int_equal(export_file_open(f, path, resumes), RC_OK);
    assert_int_equal(export_file_write(f, "X", 1), RC_OK);
    assert_int_equal(export_file_close(f), RC_OK);
}

static void an_export_begins_with_an_empty_file(void **state)
{
    struct export_file f;
    (void)state;
    fill("something else");
    write_letter(&f, false);
    assert_false(f.has_head);
    assert_content("X");
}

static void one_that_was_broken_off_goes_on_behind_its_last_whole_line(void **state)
{
    static const struct {
        const char *before, *after, *key;
    } files[] = {
        {"", "X", ""},
        {"{\"vers", "X", ""}, /* not even the head was whole */
        {HEAD, HEAD "X", ""},
        {HEAD "{\"key\"", HEAD "X", ""},
        {HEAD ENTRY("a"), HEAD ENTRY("a") "X", "a"},
        {HEAD ENTRY("a") ENTRY("b") "{", HEAD ENTRY("a") ENTRY("b") "X", "b"},
        {HEAD ENTRY("a") HEAD, HEAD ENTRY("a") HEAD "X", "a"}, /* one was appended */
        {HEAD ENTRY("a") HEAD ENTRY("b"), HEAD ENTRY("a") HEAD ENTRY("b") "X", "b"},
        {HEAD HEAD, HEAD HEAD "X", ""},
        {HEAD ENTRY("exported_at"), HEAD ENTRY("exported_at") "X", "exported_at"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        struct export_file f;
        fill(files[i].before);
        write_letter(&f, true);
        assert_content(files[i].after);
        assert_int_equal(f.has_head, files[i].after[0] == '{');
        assert_int_equal(f.after_len, strlen(files[i].key));
        assert_memory_equal(f.after, files[i].key, f.after_len);
    }
}

static void what_is_no_export_is_left_as_it_is(void **state)
{
    static const char *const files[] = {"a letter\n", "a letter", ENTRY("a"), HEAD "x\n",
                                        HEAD ENTRY("a") "\n"};
    (void)state;
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        struct export_file f;
        fill(files[i]);
        assert_int_equal(export_file_open(&f, path, true), RC_MALFORMED);
        assert_non_null(strstr(f.problem, "it is no export that could be gone on with"));
        assert_content(files[i]);
    }
}

static void a_file_that_cannot_be_opened_is_named(void **state)
{
    struct export_file f;
    (void)state;
    assert_int_equal(export_file_open(&f, "/nowhere/file", false), RC_IO);
    assert_string_equal(f.problem, "/nowhere/file: No such file or directory");
}

static void a_full_disk_is_found_by_the_write_however_short(void **state)
{
    static const char block[8192];
    struct export_file f;
    (void)state;
    assert_int_equal(export_file_open(&f, "/dev/full", false), RC_OK);
    assert_int_equal(export_file_write(&f, block, 10), RC_IO);
    assert_string_equal(f.problem, "/dev/full: No space left on device");
    assert_int_equal(export_file_close(&f), RC_OK);
    assert_int_equal(export_file_open(&f, "/dev/full", false), RC_OK);
    assert_int_equal(export_file_write(&f, block, sizeof(block)), RC_IO);
    assert_int_equal(export_file_close(&f), RC_OK);
}

static void what_was_written_is_there_before_the_end(void **state)
{
    struct export_file f;
    (void)state;
    assert_int_equal(export_file_open(&f, path, false), RC_OK);
    assert_int_equal(export_file_write(&f, "line\n", 5), RC_OK);
    assert_content("line\n");
    assert_int_equal(export_file_close(&f), RC_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_export_begins_with_an_empty_file),
        cmocka_unit_test(one_that_was_broken_off_goes_on_behind_its_last_whole_line),
        cmocka_unit_test(what_is_no_export_is_left_as_it_is),
        cmocka_unit_test(a_file_that_cannot_be_opened_is_named),
        cmocka_unit_test(a_full_disk_is_found_by_the_write_however_short),
        cmocka_unit_test(what_was_written_is_there_before_the_end),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
