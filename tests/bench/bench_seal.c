/*
 * What it costs to seal a steady ping and to open it, key and all, on one core:
 *
 *   bench_seal [thousands]
 *
 * It prints microseconds of CPU time a datagram, for each end and for both.
 */
#include "core/base/assert.h"
#include "gossip/sealing/sealing.h"
#include "net/crypto/seal_openssl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BODY_BYTES = 39, THOUSANDS = 500, ROUND = 256 };

static double cpu_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void make_end(struct sealing *x, const struct seal_openssl *openssl, uint8_t number)
{
    const struct sealing_config config = {
        .ops = seal_openssl_ops(openssl), .network = "bench", .self = {{number}}, .senders_max = 1};
    const struct keyring_items items = {.count = 1, .items = {{.key = {7}}}};
    sealing_init(x, &config);
    const enum rc rc = sealing_set_keys(x, &items);
    ASSERT(rc == RC_OK);
}

/* A ping with a short header. */
static size_t put_ping(const struct sealing *x, uint64_t counter, uint8_t *data)
{
    struct cursor c = cursor_writer(data, PACKET_SHORT_BYTES + BODY_BYTES);
    cursor_put_u8(&c, PROTOCOL_VERSION_MAX);
    cursor_put_u8(&c, 0);
    cursor_put_u16(&c, x->ring.keys[0].id);
    cursor_put_u32(&c, packet_tag(&x->self, 7));
    cursor_put_u64(&c, counter);
    memset(data + c.pos, 1, BODY_BYTES);
    return c.pos + BODY_BYTES;
}

int main(int argc, char **argv)
{
    static uint8_t sent[ROUND][DATAGRAM_BYTES_MAX], plain[DATAGRAM_BYTES_MAX];
    const long rounds = (argc > 1 ? strtol(argv[1], NULL, 10) : THOUSANDS) * 1000 / ROUND;
    struct seal_openssl *openssl = seal_openssl_new();
    struct sealing from, to;
    double seal_us = 0, open_us = 0;
    uint64_t counter = 0;
    ASSERT(openssl != NULL && rounds > 0);
    make_end(&from, openssl, 1);
    make_end(&to, openssl, 2);
    const struct addr addr = {.port = 1};
    const struct sealing_from whose = {.sender = &from.self, .addr = &addr};
    for (long round = 0; round < rounds; round++) {
        const double start_us = cpu_us();
        for (uint32_t i = 0; i < ROUND; i++) {
            const size_t len =
                sealing_seal(&from, &to.self, sent[i], put_ping(&from, ++counter, sent[i]), 1);
            ASSERT(len > 0);
        }
        const double sealed_us = cpu_us();
        for (uint32_t i = 0; i < ROUND; i++) {
            const size_t len = PACKET_SHORT_BYTES + BODY_BYTES + SEAL_TAG_BYTES;
            struct packet_head head;
            const enum rc rc = packet_read_head(sent[i], len, &head);
            ASSERT(rc == RC_OK);
            const enum sealing_refusal refusal =
                sealing_open(&to, &head, &whose, sent[i], len, 1, plain);
            ASSERT(refusal == SEALING_OPENED);
        }
        seal_us += sealed_us - start_us;
        open_us += cpu_us() - sealed_us;
    }
    const double count = (double)rounds * ROUND;
    printf("seal %.2f us, open %.2f us, both %.2f us a datagram\n", seal_us / count,
           open_us / count, (seal_us + open_us) / count);
    sealing_fini(&from);
    sealing_fini(&to);
    seal_openssl_free(openssl);
    return 0;
}
