#include "core/base/assert.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "captured.h"

/* In a child, whose way of ending is returned. */
static int status_of(int value)
{
    const pid_t child = fork();
    if (child == 0) {
        const struct rlimit none = {0, 0};
        (void)setrlimit(RLIMIT_CORE, &none);
        (void)signal(SIGABRT, SIG_DFL);
        ASSERT(value == 7);
        _exit(EXIT_SUCCESS);
    }
    int status = -1;
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void what_holds_goes_on_without_a_word(void **state)
{
    (void)state;
    static struct captured c;
    captured_begin(&c, STDERR_FILENO);
    const int status = status_of(7);
    assert_string_equal(captured_end(&c), "");
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS);
}

static void what_does_not_hold_is_told_with_its_place_and_ends_the_process(void **state)
{
    (void)state;
    static struct captured c;
    captured_begin(&c, STDERR_FILENO);
    const int status = status_of(8);
    const char *text = captured_end(&c);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_ptr_equal(strstr(text, "repram: assertion failed: value == 7 ("), text);
    assert_non_null(strstr(text, "test_assert.c:"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_holds_goes_on_without_a_word),
        cmocka_unit_test(what_does_not_hold_is_told_with_its_place_and_ends_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
