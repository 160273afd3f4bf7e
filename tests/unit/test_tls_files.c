#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/crypto/tls_files.h"
#include "tests/unit/failing_alloc.h"
#include "tls_folder.h"

#include <sys/stat.h>

struct rig {
    struct tls_folder folder;
    struct tls_paper first, second;
    struct tls_context *context;
    struct tls_files files;
    char why[TLS_FILES_WHY_SIZE];
};

static int set_up(void **state)
{
    static struct rig rig;
    memset(&rig, 0, sizeof(rig));
    tls_paper_make(&rig.first, NULL, EVP_EC_gen("P-256"), -1, 30);
    tls_paper_make(&rig.second, NULL, EVP_EC_gen("P-256"), -1, 60);
    tls_folder_make(&rig.folder);
    tls_folder_put(rig.folder.cert, rig.first.cert_text);
    tls_folder_put(rig.folder.key, rig.first.key_text);
    rig.context = tls_context_new();
    rig.files = (struct tls_files){.cert = rig.folder.cert, .key = rig.folder.key, .ca = ""};
    *state = &rig;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *rig = *state;
    tls_context_free(rig->context);
    tls_folder_remove(&rig->folder);
    tls_paper_free(&rig->first);
    tls_paper_free(&rig->second);
    return 0;
}

static enum rc look(struct rig *rig)
{
    return tls_files_look(&rig->files, rig->context, rig->why);
}

static int64_t end_of(const struct rig *rig)
{
    return tls_context_dates(rig->context).not_after_s;
}

static void what_is_new_is_taken_once(void **state)
{
    struct rig *rig = *state;
    assert_int_equal(look(rig), RC_OK);
    assert_true(tls_context_is_serving(rig->context));
    assert_int_equal(look(rig), RC_EXISTS);
    const int64_t end = end_of(rig);
    tls_folder_put(rig->folder.cert, rig->second.cert_text);
    tls_folder_put(rig->folder.key, rig->second.key_text);
    assert_int_equal(look(rig), RC_OK);
    assert_true(end_of(rig) > end);
}

static void what_is_no_good_is_named_by_its_own_file(void **state)
{
    struct rig *rig = *state;
    char ca[sizeof(rig->folder.cert) + 8];
    (void)snprintf(ca, sizeof(ca), "%s.ca", rig->folder.cert);
    tls_folder_put(ca, "");
    rig->files.ca = ca;
    assert_int_equal(look(rig), RC_CONFIG);
    assert_int_equal(strncmp(rig->why, ca, strlen(ca)), 0);
    assert_non_null(strstr(rig->why, ": the authorities of clients cannot be read"));
    rig->files.ca = "";
    tls_folder_put(rig->folder.key, "");
    assert_int_equal(look(rig), RC_CONFIG);
    assert_int_equal(strncmp(rig->why, rig->folder.key, strlen(rig->folder.key)), 0);
    tls_folder_put(rig->folder.cert, "");
    assert_int_equal(look(rig), RC_CONFIG);
    assert_int_equal(strncmp(rig->why, rig->folder.cert, strlen(rig->folder.cert)), 0);
    assert_int_equal(unlink(ca), 0);
}

static void a_pair_that_is_half_written_waits_for_the_other_half(void **state)
{
    struct rig *rig = *state;
    assert_int_equal(look(rig), RC_OK);
    const int64_t end = end_of(rig);
    tls_folder_put(rig->folder.cert, rig->second.cert_text);
    assert_int_equal(look(rig), RC_CONFIG);
    assert_non_null(strstr(rig->why, "the key does not belong to the certificate"));
    assert_non_null(strstr(rig->why, rig->folder.cert));
    assert_int_equal(end_of(rig), end);
    assert_int_equal(look(rig), RC_EXISTS); /* said once */
    tls_folder_put(rig->folder.key, rig->second.key_text);
    assert_int_equal(look(rig), RC_OK);
    assert_true(end_of(rig) > end);
}

static void what_cannot_be_read_is_named_and_nothing_changes(void **state)
{
    struct rig *rig = *state;
    assert_int_equal(look(rig), RC_OK);
    assert_int_equal(unlink(rig->folder.key), 0);
    assert_int_equal(look(rig), RC_CONFIG);
    assert_non_null(strstr(rig->why, rig->folder.key));
    assert_non_null(strstr(rig->why, "No such file"));
    assert_int_equal(look(rig), RC_EXISTS);
    assert_int_equal(mkfifo(rig->folder.key, 0600), 0); /* and nobody waits at it */
    assert_int_equal(look(rig), RC_CONFIG);
    assert_non_null(strstr(rig->why, "is no file"));
    assert_true(tls_context_is_serving(rig->context));
    assert_int_equal(unlink(rig->folder.key), 0);
    tls_folder_put(rig->folder.key, rig->first.key_text);
    assert_int_equal(look(rig), RC_OK);
}

/* PEM may have anything in front. */
static void a_file_has_a_bound(void **state)
{
    struct rig *rig = *state;
    static char large[TLS_FILE_MAX + 2];
    const size_t len = strlen(rig->first.cert_text);
    memset(large, '\n', sizeof(large) - 1);
    for (int over = -1; over <= 1; over++) {
        const size_t size = TLS_FILE_MAX + (size_t)(over + 1) - 1;
        large[size] = '\0';
        memcpy(large + size - len, rig->first.cert_text, len);
        tls_folder_put(rig->folder.cert, large);
        assert_int_equal(look(rig), over <= 0 ? RC_OK : RC_CONFIG);
        memset(large + size - len, '\n', len + 1);
    }
    assert_non_null(strstr(rig->why, "longer than 1 MiB"));
}

static void a_check_changes_nothing(void **state)
{
    struct rig *rig = *state;
    const struct tls_files *f = &rig->files;
    assert_int_equal(tls_files_check(f->cert, f->key, "", rig->why), RC_OK);
    assert_int_equal(tls_files_check(f->cert, f->key, f->key, rig->why), RC_CONFIG);
    assert_non_null(strstr(rig->why, "authorities"));
    assert_int_equal(tls_files_check(f->cert, f->key, f->cert, rig->why), RC_OK);
    assert_false(tls_context_is_serving(rig->context));
}

static void story(void *arg)
{
    struct rig *rig = arg;
    struct tls_files files = rig->files;
    struct tls_context *context = tls_context_new();
    if (context == NULL) {
        assert_true(failing_alloc_has_failed());
        return;
    }
    enum rc rc = tls_files_look(&files, context, rig->why);
    if (rc != RC_OK) {
        assert_int_equal(rc, RC_NO_MEMORY);
        assert_true(failing_alloc_has_failed());
        failing_alloc_recover();
        rc = tls_files_look(&files, context, rig->why); /* is looked at anew */
    }
    assert_int_equal(rc, RC_OK);
    tls_context_free(context);
}

static void without_memory_the_next_look_takes_it(void **state)
{
    assert_true(failing_alloc_each(story, *state) > 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_is_new_is_taken_once),
        TEST(what_is_no_good_is_named_by_its_own_file),
        TEST(a_pair_that_is_half_written_waits_for_the_other_half),
        TEST(what_cannot_be_read_is_named_and_nothing_changes),
        TEST(a_file_has_a_bound),
        TEST(a_check_changes_nothing),
        TEST(without_memory_the_next_look_takes_it),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
