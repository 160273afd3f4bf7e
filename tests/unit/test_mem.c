#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/mem.h"

#include <stdlib.h>
#include <string.h>

static void new_memory_is_zeroed(void **state)
{
    (void)state;
    uint8_t *bytes = mem_new(100, 3);
    for (int i = 0; i < 300; i++) {
        assert_int_equal(bytes[i], 0);
    }
    free(bytes);
}

static void resizing_keeps_what_was_there(void **state)
{
    (void)state;
    uint32_t *numbers = mem_resize(NULL, 2, sizeof(*numbers));
    numbers[0] = 1;
    numbers[1] = 2;
    numbers = mem_resize(numbers, 2000, sizeof(*numbers));
    assert_int_equal(numbers[0], 1);
    assert_int_equal(numbers[1], 2);
    free(numbers);
}

static void wiping_zeroes_just_the_bytes_asked_for(void **state)
{
    (void)state;
    uint8_t bytes[4] = {1, 2, 3, 4};
    mem_wipe(bytes + 1, 2);
    assert_memory_equal(bytes, ((uint8_t[]){1, 0, 0, 4}), 4);
    mem_wipe(NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_memory_is_zeroed),
        cmocka_unit_test(resizing_keeps_what_was_there),
        cmocka_unit_test(wiping_zeroes_just_the_bytes_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
