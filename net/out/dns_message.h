/*
 * dns_message: the records of a name server's answer (RFC 1035 section 4, RFC 3596, RFC 2782).
 *
 * Only what discovery asks for is told: A, AAAA and SRV of class IN. The answer's other records
 * (CNAME, and those of EDNS) are passed over. Every length comes from the wire, so each read is
 * bounded by the message, a name's pointers lead backwards only and are 126 at most, and a name has
 * 255 bytes at most.
 * What a record means, and whether the question was ours, is the caller's to judge.
 *
 *   id 2, flags 2, counts of questions, answers, authorities, additional ones 2 each
 *   question: name, type 2, class 2
 *   record:   name, type 2, class 2, TTL 4, length 2, that many bytes
 *             A: address 4; AAAA: address 16; SRV: priority 2, weight 2, port 2, target's name
 *   name:     (length 1, label)... 0, or a pointer 0xc000 + offset in place of the rest
 */
#ifndef NET_OUT_DNS_MESSAGE_H
#define NET_OUT_DNS_MESSAGE_H

#include "core/base/addr.h"

enum dns_type { DNS_TYPE_A = 1, DNS_TYPE_AAAA = 28, DNS_TYPE_SRV = 33 };

enum { DNS_PORT = 53 }; /* where servers are that are named without one */

enum { DNS_NAME_SIZE = 256 }; /* as text: without a dot at its end; "" is the root */

struct dns_record {
    enum dns_type type;
    bool is_additional; /* of that section; false: of the answers. Those of authorities are not told
                         */
    uint32_t ttl_s;     /* of the record; of an answer no longer than those of CNAMEs before it */
    char name[DNS_NAME_SIZE];
    struct addr addr;                /* of A and AAAA; the port is 0 */
    uint16_t priority, weight, port; /* of SRV */
    char target[DNS_NAME_SIZE];      /* likewise; "": there is no such service */
};

/*
 * Calls `found` for each record, borrowed for the call, in the order of the message. RC_MALFORMED
 * when the message ends early or a part of it is against the rules; records before that have been
 * told. A name with a byte that no host name has is one that cannot be asked for; its record is
 * left out.
 */
MUST_USE enum rc dns_message_read(const uint8_t *bytes, size_t len,
                                  void (*found)(void *arg, const struct dns_record *record),
                                  void *arg);

#endif
