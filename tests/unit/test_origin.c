#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/store/origin.h"

#include <string.h>

static struct uuid uuid_of(uint32_t i)
{
    struct uuid uuid = {{0}};
    memcpy(uuid.bytes, &i, sizeof(i));
    return uuid;
}

static void one_id_has_one_handle_until_its_last_holder_lets_go(void **state)
{
    (void)state;
    struct origins origins;
    origin_init(&origins, 1);
    const struct uuid a = uuid_of(1);
    const struct uuid b = uuid_of(2);
    const uint32_t first = origin_hold(&origins, &a);
    const uint32_t other = origin_hold(&origins, &b);
    assert_int_not_equal(first, 0);
    assert_int_not_equal(first, other);
    assert_int_equal(origin_hold(&origins, &a), first);
    assert_true(uuid_equal(origin_at(&origins, first), &a));
    origin_release(&origins, first);
    assert_true(uuid_equal(origin_at(&origins, first), &a));
    assert_int_equal(origin_count(&origins), 2);
    origin_release(&origins, first);
    assert_int_equal(origin_count(&origins), 1);
    origin_check(&origins);
    origin_fini(&origins);
}

static void many_ids_come_and_go(void **state)
{
    (void)state;
    enum { COUNT = 5000 };
    static uint32_t handles[COUNT];
    struct origins origins;
    origin_init(&origins, 1);
    for (uint32_t i = 0; i < COUNT; i++) {
        const struct uuid uuid = uuid_of(i);
        handles[i] = origin_hold(&origins, &uuid);
    }
    origin_check(&origins);
    for (uint32_t i = 0; i < COUNT; i++) {
        const struct uuid uuid = uuid_of(i);
        assert_true(uuid_equal(origin_at(&origins, handles[i]), &uuid));
        origin_release(&origins, handles[i]);
    }
    assert_int_equal(origin_count(&origins), 0);
    assert_int_equal(origins.slab.mapped, 0);
    origin_check(&origins);
    origin_fini(&origins);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_id_has_one_handle_until_its_last_holder_lets_go),
        cmocka_unit_test(many_ids_come_and_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
