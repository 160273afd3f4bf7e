/*
 * fuzz_dns_message: any bytes as a name server's answer.
 *
 * Whatever they are, names have their limits and hold what can be asked for; and a message of which
 * the end is missing says nothing that the whole one does not say first.
 */
#include "core/base/assert.h"
#include "net/out/dns_message.h"

#include <string.h>
#include <xxhash.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RECORDS_MAX = 4096 };

struct told {
    size_t count;
    XXH64_hash_t sums[RECORDS_MAX]; /* of the records so far */
};

static void check_name(const char name[static DNS_NAME_SIZE])
{
    const size_t len = strnlen(name, DNS_NAME_SIZE);
    ASSERT(len < DNS_NAME_SIZE);
    for (size_t i = 0; i < len; i++) {
        ASSERT(name[i] > ' ' && name[i] < 0x7f);
    }
}

static void on_record(void *arg, const struct dns_record *record)
{
    struct told *t = arg;
    check_name(record->name);
    check_name(record->target);
    ASSERT(record->addr.port == 0);
    ASSERT(record->type == DNS_TYPE_SRV || record->target[0] == '\0');
    if (t->count < RECORDS_MAX) {
        const XXH64_hash_t before = t->count > 0 ? t->sums[t->count - 1] : 0;
        t->sums[t->count++] = XXH3_64bits_withSeed(record, sizeof(*record), before);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct told whole, part;
    whole.count = part.count = 0;
    const enum rc rc = dns_message_read(data, size, on_record, &whole);
    ASSERT(rc == RC_OK || rc == RC_MALFORMED);
    const size_t len = size > 0 ? size - 1 - data[size - 1] % size : 0;
    const enum rc cut = dns_message_read(data, len, on_record, &part);
    ASSERT(cut == RC_OK || cut == RC_MALFORMED);
    ASSERT(part.count <= whole.count);
    ASSERT(part.count == 0 || part.sums[part.count - 1] == whole.sums[part.count - 1]);
    return 0;
}
