#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/discovery/claim.h"
#include "net/sys/sockaddr.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

enum { RANGE = 3, RANGES_FIRST = 12000, RANGES_END = 21000 };

static const struct addr any = {.port = 0};

/* Other programs: a plain TCP listener or UDP socket on every interface. */
static int hold(int type, uint16_t port)
{
    const int fd = socket(AF_INET, type, 0);
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
    if (fd >= 0 && (bind(fd, (const struct sockaddr *)&in, sizeof(in)) != 0 ||
                    (type == SOCK_STREAM && listen(fd, 1) != 0))) {
        close(fd);
        return -1;
    }
    return fd;
}

/* A name that one process at a time can have in a network namespace; held until this one ends. */
static bool reserve(uint16_t first)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    (void)snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1, "repram-test-ports-%u", first);
    if (bind(fd, (const struct sockaddr *)&name, sizeof(name)) != 0) {
        (void)close(fd);
        return false;
    }
    return true;
}

/* The first of RANGE ports in a row that are free. They are below those that kernels hand out, and
 * no other run of this test takes them. */
static uint16_t free_range(void)
{
    static uint16_t next = RANGES_FIRST;
    while (next < RANGES_END) {
        struct claim claims[RANGE];
        struct claim_failure failure;
        const uint16_t first = next;
        size_t count = 0;
        next = (uint16_t)(next + RANGE);
        if (!reserve(first)) {
            continue;
        }
        while (count < RANGE &&
               claim_port(&any, (uint16_t)(first + count), &claims[count], &failure) == RC_OK) {
            count++;
        }
        for (size_t j = 0; j < count; j++) {
            claim_release(&claims[j]);
        }
        if (count == RANGE) {
            return first;
        }
    }
    fail_msg("no three free ports in a row");
    return 0;
}

static bool can_connect(const struct addr *to)
{
    struct sockaddr_storage sa;
    const socklen_t len = sockaddr_from(to, sockaddr_family(to), &sa);
    const int fd = socket(sa.ss_family, SOCK_STREAM, 0);
    const bool is_connected = connect(fd, (const struct sockaddr *)&sa, len) == 0;
    close(fd);
    return is_connected;
}

/* So many of the next calls are refused as by a kernel to which two came at once, which no test can
 * bring about at will. The linker puts __wrap_listen before the kernel's listen; the names are its.
 */
static uint32_t listens_refused;

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp,readability-identifier-naming)
 */
int __real_listen(int fd, int backlog);
int __wrap_listen(int fd, int backlog);
int __wrap_listen(int fd, int backlog)
{
    if (listens_refused > 0) {
        listens_refused--;
        errno = EADDRINUSE;
        return -1;
    }
    return __real_listen(fd, backlog);
}

/* What a kernel without IPv6 says of its sockets; 0 where it has it. */
static int v6_error;

int __real_socket(int family, int type, int protocol);
int __wrap_socket(int family, int type, int protocol);
int __wrap_socket(int family, int type, int protocol)
{
    if (family == AF_INET6 && v6_error != 0) {
        errno = v6_error;
        return -1;
    }
    return __real_socket(family, type, protocol);
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp,readability-identifier-naming)
 */

struct skipped {
    size_t count;
    uint16_t ports[RANGE];
    bool is_udp[RANGE];
};

static void on_skipped(void *arg, uint16_t port, const struct claim_failure *failure)
{
    struct skipped *s = arg;
    if (s->count < RANGE) {
        s->ports[s->count] = port;
        s->is_udp[s->count] = failure->is_udp;
    }
    s->count++;
}

static void claimed_port_listens_and_holds_udp(void **state)
{
    (void)state;
    struct claim claim;
    struct claim_failure failure;
    assert_int_equal(claim_port(&any, free_range(), &claim, &failure), RC_OK);
    const struct addr here = addr_v4((const uint8_t[]){127, 0, 0, 1}, claim.port);
    assert_true(can_connect(&here));
    assert_int_equal(hold(SOCK_DGRAM, claim.port), -1);
    assert_int_equal(hold(SOCK_STREAM, claim.port), -1);
    claim_release(&claim);
    assert_false(can_connect(&here));
}

static void port_is_claimed_once(void **state)
{
    (void)state;
    struct claim first, second;
    struct claim_failure failure;
    assert_int_equal(claim_port(&any, 0, &first, &failure), RC_OK);
    assert_int_equal(claim_port(&any, first.port, &second, &failure), RC_EXISTS);
    assert_int_equal(failure.error, EADDRINUSE);
    assert_false(failure.is_udp);
    claim_release(&first);
}

static void port_with_udp_taken_leaves_tcp_released(void **state)
{
    (void)state;
    const uint16_t port = free_range();
    const int udp = hold(SOCK_DGRAM, port);
    assert_true(udp >= 0);
    struct claim claim;
    struct claim_failure failure;
    assert_int_equal(claim_port(&any, port, &claim, &failure), RC_EXISTS);
    assert_true(failure.is_udp);
    const int tcp = hold(SOCK_STREAM, port);
    assert_true(tcp >= 0);
    close(tcp);
    close(udp);
}

enum { RACERS = 3, RACES = 1000 };

struct race {
    pthread_barrier_t *start;
    uint16_t port;
    bool has_won;
};

static void *race(void *arg)
{
    struct race *r = arg;
    struct claim claim;
    struct claim_failure failure;
    (void)pthread_barrier_wait(r->start);
    r->has_won = claim_port(&any, r->port, &claim, &failure) == RC_OK;
    (void)pthread_barrier_wait(r->start); /* each keeps its port until all have tried */
    if (r->has_won) {
        claim_release(&claim);
    }
    return NULL;
}

static void of_those_that_claim_a_port_at_once_one_gets_it(void **state)
{
    (void)state;
    const uint16_t port = free_range();
    for (uint32_t i = 0; i < RACES; i++) {
        pthread_barrier_t start;
        pthread_t threads[RACERS];
        struct race racers[RACERS];
        uint32_t winners = 0;
        assert_int_equal(pthread_barrier_init(&start, NULL, RACERS), 0);
        for (uint32_t k = 0; k < RACERS; k++) {
            racers[k] = (struct race){.start = &start, .port = port};
            assert_int_equal(pthread_create(&threads[k], NULL, race, &racers[k]), 0);
        }
        for (uint32_t k = 0; k < RACERS; k++) {
            assert_int_equal(pthread_join(threads[k], NULL), 0);
            winners += racers[k].has_won;
        }
        assert_int_equal(pthread_barrier_destroy(&start), 0);
        assert_int_equal(winners, 1);
    }
}

/* The number that the next descriptor has: it grows by each that is not closed. */
static int next_descriptor(void)
{
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    (void)close(fd);
    return fd;
}

static void who_is_refused_to_listen_on_a_free_port_gets_it_by_trying_again(void **state)
{
    (void)state;
    struct claim claim;
    struct claim_failure failure;
    const uint16_t port = free_range();
    listens_refused = 2;
    assert_int_equal(claim_port(&any, port, &claim, &failure), RC_OK);
    assert_int_equal(listens_refused, 0);
    assert_int_equal(claim.port, port);
    const struct addr here = addr_v4((const uint8_t[]){127, 0, 0, 1}, port);
    assert_true(can_connect(&here));
    claim_release(&claim);
}

static void who_is_refused_to_listen_every_time_gives_up_and_keeps_nothing(void **state)
{
    (void)state;
    struct claim claim;
    struct claim_failure failure;
    const uint16_t port = free_range();
    const int descriptor = next_descriptor();
    listens_refused = UINT32_MAX;
    const enum rc rc = claim_port(&any, port, &claim, &failure);
    listens_refused = 0;
    assert_int_equal(rc, RC_EXISTS);
    assert_int_equal(failure.error, EADDRINUSE);
    assert_false(failure.is_udp);
    assert_int_equal(next_descriptor(), descriptor);
}

static void where_there_is_no_ipv6_every_interface_is_those_of_ipv4(void **state)
{
    (void)state;
    static const int errors[] = {EAFNOSUPPORT, EPROTONOSUPPORT};
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        struct claim claim;
        struct claim_failure failure;
        const uint16_t port = free_range();
        v6_error = errors[i];
        const enum rc rc = claim_port(&any, port, &claim, &failure);
        v6_error = 0;
        assert_int_equal(rc, RC_OK);
        assert_false(claim.is_v6);
        assert_int_equal(claim.port, port);
        const struct addr here = addr_v4((const uint8_t[]){127, 0, 0, 1}, port);
        assert_true(can_connect(&here));
        claim_release(&claim);
    }
}

static void what_is_wrong_with_ipv6_otherwise_is_told(void **state)
{
    (void)state;
    struct claim claim;
    struct claim_failure failure;
    const uint16_t port = free_range();
    v6_error = EMFILE;
    const enum rc rc = claim_port(&any, port, &claim, &failure);
    v6_error = 0;
    assert_int_equal(rc, RC_IO);
    assert_int_equal(failure.error, EMFILE);
}

static void first_free_port_follows_held_ones_of_both_kinds(void **state)
{
    (void)state;
    const uint16_t first = free_range();
    const int tcp = hold(SOCK_STREAM, first);
    const int udp = hold(SOCK_DGRAM, (uint16_t)(first + 1));
    struct skipped skipped = {0};
    struct claim claim;
    struct claim_failure failure;
    assert_int_equal(claim_first(&any, first, (uint16_t)(first + RANGE - 1), on_skipped, &skipped,
                                 &claim, &failure),
                     RC_OK);
    assert_int_equal(claim.port, first + 2);
    assert_int_equal(skipped.count, 2);
    assert_int_equal(skipped.ports[0], first);
    assert_false(skipped.is_udp[0]);
    assert_true(skipped.is_udp[1]);
    claim_release(&claim);
    close(tcp);
    close(udp);
}

static void range_that_is_held_whole_is_refused(void **state)
{
    (void)state;
    const uint16_t first = free_range();
    const int tcp = hold(SOCK_STREAM, first);
    const int udp = hold(SOCK_DGRAM, (uint16_t)(first + 1));
    struct claim ours, claim;
    struct claim_failure failure;
    struct skipped skipped = {0};
    assert_int_equal(claim_port(&any, (uint16_t)(first + 2), &ours, &failure), RC_OK);
    assert_int_equal(claim_first(&any, first, (uint16_t)(first + RANGE - 1), on_skipped, &skipped,
                                 &claim, &failure),
                     RC_EXISTS);
    assert_int_equal(skipped.count, RANGE);
    claim_release(&ours);
    close(tcp);
    close(udp);
}

static void port_of_a_closed_connection_is_claimed_again(void **state)
{
    (void)state;
    struct claim claim;
    struct claim_failure failure;
    const uint16_t port = free_range();
    assert_int_equal(claim_port(&any, port, &claim, &failure), RC_OK);
    const struct addr here = addr_v4((const uint8_t[]){127, 0, 0, 1}, port);
    struct sockaddr_storage sa;
    const socklen_t len = sockaddr_from(&here, AF_INET, &sa);
    const int client = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(client, (const struct sockaddr *)&sa, len), 0);
    const int server = accept(claim.tcp_fd, NULL, NULL);
    assert_true(server >= 0);
    close(server); /* the active close leaves our port in TIME_WAIT */
    claim_release(&claim);
    close(client);
    assert_int_equal(claim_port(&any, port, &claim, &failure), RC_OK);
    claim_release(&claim);
}

static void bind_to_one_address_leaves_the_others_alone(void **state)
{
    (void)state;
    const struct addr one = addr_v4((const uint8_t[]){127, 0, 0, 1}, 0);
    struct claim claim;
    struct claim_failure failure;
    assert_int_equal(claim_port(&one, 0, &claim, &failure), RC_OK);
    assert_false(claim.is_v6);
    const struct addr elsewhere = addr_v4((const uint8_t[]){127, 0, 0, 2}, claim.port);
    assert_false(can_connect(&elsewhere));
    claim_release(&claim);
}

static void bind_to_a_foreign_address_is_a_configuration_error(void **state)
{
    (void)state;
    const struct addr foreign = addr_v4((const uint8_t[]){192, 0, 2, 1}, 0);
    struct claim claim;
    struct claim_failure failure;
    assert_int_equal(claim_first(&foreign, 40000, 40010, NULL, NULL, &claim, &failure), RC_CONFIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(claimed_port_listens_and_holds_udp),
        cmocka_unit_test(port_is_claimed_once),
        cmocka_unit_test(port_with_udp_taken_leaves_tcp_released),
        cmocka_unit_test(of_those_that_claim_a_port_at_once_one_gets_it),
        cmocka_unit_test(who_is_refused_to_listen_on_a_free_port_gets_it_by_trying_again),
        cmocka_unit_test(who_is_refused_to_listen_every_time_gives_up_and_keeps_nothing),
        cmocka_unit_test(where_there_is_no_ipv6_every_interface_is_those_of_ipv4),
        cmocka_unit_test(what_is_wrong_with_ipv6_otherwise_is_told),
        cmocka_unit_test(first_free_port_follows_held_ones_of_both_kinds),
        cmocka_unit_test(range_that_is_held_whole_is_refused),
        cmocka_unit_test(port_of_a_closed_connection_is_claimed_again),
        cmocka_unit_test(bind_to_one_address_leaves_the_others_alone),
        cmocka_unit_test(bind_to_a_foreign_address_is_a_configuration_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
