#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/out/srv_list.h"

#include <stdio.h>
#include <string.h>

static struct dns_record service(uint16_t priority, uint16_t weight, uint16_t port,
                                 const char *target)
{
    struct dns_record record = {
        .type = DNS_TYPE_SRV, .ttl_s = 60, .priority = priority, .weight = weight, .port = port};
    (void)snprintf(record.target, sizeof(record.target), "%s", target);
    return record;
}

static void take_service(struct srv_list *l, uint16_t priority, uint16_t weight, uint16_t port,
                         const char *target)
{
    const struct dns_record record = service(priority, weight, port, target);
    srv_list_take(l, &record);
}

static struct dns_record address(bool is_additional, uint32_t ttl_s)
{
    struct dns_record record = {
        .type = DNS_TYPE_A, .is_additional = is_additional, .ttl_s = ttl_s, .name = "a.test"};
    record.addr = addr_v4((const uint8_t[]){192, 0, 2, 7}, 0);
    return record;
}

static void services_stand_by_priority_and_the_heaviest_first(void **state)
{
    (void)state;
    static const uint16_t wanted[] = {3, 2, 1, 4};
    struct srv_list l;
    srv_list_init(&l);
    take_service(&l, 10, 1, 1, "a.test");
    take_service(&l, 10, 2, 2, "a.test");
    take_service(&l, 9, 0, 3, "a.test");
    take_service(&l, 11, 9, 4, "b.test");
    srv_list_sort(&l);
    assert_int_equal(l.service_count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(l.services[i].port, wanted[i]);
    }
    assert_string_equal(l.services[3].target, "b.test");
    assert_false(l.is_cut);
    srv_list_fini(&l);
}

static void no_target_and_no_port_are_no_service(void **state)
{
    (void)state;
    struct srv_list l;
    srv_list_init(&l);
    srv_list_sort(&l);
    take_service(&l, 0, 0, 8081, "");
    take_service(&l, 0, 0, 0, "a.test");
    assert_int_equal(l.service_count, 0);
    srv_list_fini(&l);
}

static void addresses_are_taken_of_the_additional_section_and_services_of_the_answers(void **state)
{
    (void)state;
    struct srv_list l;
    srv_list_init(&l);
    assert_int_equal(l.ttl_s, UINT32_MAX);
    struct dns_record record = address(false, 1);
    srv_list_take(&l, &record);
    record = service(0, 0, 8081, "a.test");
    record.is_additional = true;
    srv_list_take(&l, &record);
    assert_int_equal(l.service_count + l.addr_count, 0);
    assert_int_equal(l.ttl_s, UINT32_MAX);
    record.is_additional = false;
    srv_list_take(&l, &record);
    record = address(true, 5);
    srv_list_take(&l, &record);
    assert_int_equal(l.service_count, 1);
    assert_int_equal(l.addr_count, 1);
    assert_string_equal(l.addrs[0].target, "a.test");
    assert_true(addr_equal(&l.addrs[0].addr, &record.addr));
    assert_int_equal(l.ttl_s, 5);
    srv_list_fini(&l);
}

static void only_so_many_of_either_are_taken(void **state)
{
    (void)state;
    for (size_t count = SRV_SERVICES_MAX - 1; count <= SRV_SERVICES_MAX + 1; count++) {
        const struct dns_record record = address(true, 60);
        struct srv_list l;
        srv_list_init(&l);
        for (size_t i = 0; i < count; i++) {
            take_service(&l, 0, 0, 8081, "a.test");
            srv_list_take(&l, &record);
        }
        assert_int_equal(l.service_count, count < SRV_SERVICES_MAX ? count : SRV_SERVICES_MAX);
        assert_int_equal(l.addr_count, count < SRV_ADDRS_MAX ? count : SRV_ADDRS_MAX);
        assert_int_equal(l.is_cut, count > SRV_SERVICES_MAX);
        srv_list_fini(&l);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(services_stand_by_priority_and_the_heaviest_first),
        cmocka_unit_test(no_target_and_no_port_are_no_service),
        cmocka_unit_test(addresses_are_taken_of_the_additional_section_and_services_of_the_answers),
        cmocka_unit_test(only_so_many_of_either_are_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
