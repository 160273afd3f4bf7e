#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "acl_rig.h"
#include "core/base/units.h"
#include "core/store/record.h"

#define H1 "sha256:0000000000000000000000000000000000000000000000000000000000000001"
#define H2 "sha256:ABCDEF0000000000000000000000000000000000000000000000000000000002"
#define H3 "sha256:0000000000000000000000000000000000000000000000000000000000000003"

/* ---- The text ---- */

static void what_is_wrong_is_said_with_its_line(void **state)
{
    static const struct {
        const char *text;
        uint32_t line;
        const char *wrong;
    } faults[] = {
        {"usr a " H1, 1, "a line begins with"},
        {"\xef\xbb\xbfuser a " H1, 1, "begins with a byte order mark of UTF-8"},
        {"\xff\xfeu", 1, "begins with a byte order mark of UTF-16"},
        {"# x\n\nuser", 3, "user needs a name"},
        {"user a", 1, "a user needs sha256:HEX"},
        {"user a/b " H1, 1, "a name is *"},
        {"user a123456789012345678901234567890123456789012345678901234567890123456 " H1, 1,
         "a name is *"},
        {"user a sha256:00", 1, "64 hexadecimal"},
        {"user a sha256:000000000000000000000000000000000000000000000000000000000000000x", 1,
         "64 hexadecimal"},
        {"user a rt1_oops", 1, "behind a user's name"},
        {"user a " H1 " " H1, 1, "stands above already"},
        {"user a " H1 " " H2 " " H3, 1, "two hashes at most"},
        {"user a " H1 "\nuser b " H1, 2, "stands above already"},
        {"user a " H1 "\nuser a " H2, 2, "user a stands above already"},
        {"user a expires=2027-01-31T00:00:00Z", 1, "a user needs sha256:HEX"},
        {"user a " H1 " expires=tomorrow", 1, "a time in UTC"},
        {"user a " H1 " expires=2027-01-31T00:00:00+01:00", 1, "a time in UTC"},
        {"user a " H1 " expires=2027-01-31T00:00:00Z expires=2027-01-31T00:00:00Z", 1, "twice"},
        {"user *\nuser *", 2, "user * stands above"},
        {"user * " H1, 1, "nothing stands behind it"},
        {"allow read", 1, "above the first user"},
        {"user *\nallow", 2, "is no verb"},
        {"user *\nallow readd", 2, "'readd' is no verb"},
        {"user *\nallow rt1_secret", 2, "'rt' is no verb"},
        {"user *\nallow read,", 2, "is no verb"},
        {"user *\nallow read, list", 2, "is no verb"},
        {"user *\nallow READ", 2, "is no verb"},
        {"user *\nallow read a b", 2, "one prefix"},
        {"user *\nallow write ttl<=1h a", 2, "one prefix"},
        {"user *\nallow read a<b", 2, "in a prefix < is %3C"},
        {"user *\nallow read a=b", 2, "in a prefix < is %3C"},
        {"user *\nallow write ttl<1h", 2, "ttl<=DURATION"},
        {"user *\nallow read a%2", 2, "two hexadecimal"},
        {"user *\nallow read a%zz", 2, "two hexadecimal"},
        {"user *\nallow read a%00", 2, "no key has a NUL"},
        {"user *\nallow write ttl<=", 2, "ttl<= takes"},
        {"user *\nallow write ttl<=0", 2, "ttl<= takes"},
        {"user *\nallow write ttl<=1w", 2, "ttl<= takes"},
        {"user *\nallow write ttl<=1h ttl<=2h", 2, "once"},
        {"user *\nallow write size<=x", 2, "size<= takes"},
        {"user *\nallow write size<=1 size<=2", 2, "once"},
        {"user *\nallow read ttl<=1h", 2, "bound writes"},
        {"user *\nallow list size<=1", 2, "bound writes"},
        {"user *\nallow status a/", 2, "have no prefix"},
        {"user *\nallow read,metrics a/", 2, "have no prefix"},
        {"user *\nallow read a\x01", 2, "control character"},
        {"user *\nallow read a\x7f", 2, "control character"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        struct acl_fault fault;
        struct acl *acl = acl_parse(faults[i].text, strlen(faults[i].text), &fault);
        assert_null(acl);
        assert_non_null(strstr(fault.text, faults[i].wrong));
        assert_int_equal(fault.line, faults[i].line);
        assert_null(strstr(fault.text, "secret"));
        assert_null(strstr(fault.text, "oops"));
    }
}

static void blanks_comments_and_line_ends_of_any_system_are_nothing(void **state)
{
    static const char text[] = "\n \t # only a comment\r\n"
                               "user\ta " H1 "  expires=2027-01-31T00:00:00Z # whose\r\n"
                               "\tallow  read,list   app/ \t\r\n"
                               "user * # everybody\n"
                               "allow status"; /* without a line end */
    struct acl *acl = acl_rig(text);
    uint32_t user = 9;
    (void)state;
    assert_int_equal(acl_user_count(acl), 2);
    assert_int_equal(acl_rule_count(acl), 2);
    assert_int_equal(acl_anybody(acl, &user), RC_OK);
    assert_int_equal(user, 1);
    assert_string_equal(acl_name(acl, 0), "a");
    assert_string_equal(acl_name(acl, 1), "*");
    acl_free(acl);
    acl = acl_rig("");
    assert_int_equal(acl_user_count(acl), 0);
    assert_int_equal(acl_anybody(acl, &user), RC_NOT_FOUND);
    acl_free(acl);
    acl_free(NULL);
}

/* A text with so many users of so many lines each. */
static char *make_text(unsigned users, unsigned lines)
{
    char *text = mem_new(users, 128 + (size_t)lines * 32);
    size_t len = 0;
    for (unsigned u = 0; u < users; u++) {
        len += (size_t)sprintf(text + len, "user u%u sha256:%064x\n", u, u + 1);
        for (unsigned i = 0; i < lines; i++) {
            len += (size_t)sprintf(text + len, "allow read p%u/\n", i);
        }
    }
    return text;
}

static void users_and_lines_have_limits(void **state)
{
    static const struct {
        unsigned users, lines;
        const char *wrong;
    } sizes[] = {{ACL_USERS_MAX - 1, 1, ""},
                 {ACL_USERS_MAX, ACL_RULES_MAX, ""},
                 {ACL_USERS_MAX + 1, 1, "1000 users at most"},
                 {1, ACL_RULES_MAX - 1, ""},
                 {1, ACL_RULES_MAX + 1, "16 lines at most"}};
    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct acl_fault fault;
        char *text = make_text(sizes[i].users, sizes[i].lines);
        struct acl *acl = acl_parse(text, strlen(text), &fault);
        assert_int_equal(acl != NULL, *sizes[i].wrong == 0);
        if (acl != NULL) {
            assert_int_equal(acl_rule_count(acl), sizes[i].users * sizes[i].lines);
        } else {
            assert_non_null(strstr(fault.text, sizes[i].wrong));
        }
        acl_free(acl);
        free(text);
    }
}

static void a_text_and_a_prefix_have_limits(void **state)
{
    enum { FRONT = sizeof("user *\nallow read ") - 1 };
    char *text = mem_new(ACL_TEXT_MAX + 2, 1);
    struct acl_fault fault;
    (void)state;
    memcpy(text, "user *\nallow read ", FRONT);
    memset(text + FRONT, 'k', KEY_BYTES_MAX + 1);
    struct acl *acl = acl_parse(text, FRONT + KEY_BYTES_MAX, &fault);
    assert_non_null(acl);
    acl_free(acl);
    assert_null(acl_parse(text, FRONT + KEY_BYTES_MAX + 1, &fault));
    assert_non_null(strstr(fault.text, "1024 bytes at most"));
    memset(text, '\n', ACL_TEXT_MAX + 1);
    acl = acl_parse(text, ACL_TEXT_MAX, &fault);
    assert_non_null(acl);
    acl_free(acl);
    assert_null(acl_parse(text, ACL_TEXT_MAX + 1, &fault));
    assert_string_equal(fault.text, "the file is larger than 4 MiB");
    assert_int_equal(fault.line, 0);
    free(text);
}

/* ---- Who ---- */

static enum rc find(const struct acl *acl, const char *token, uint64_t now_ms, uint32_t *ret_user)
{
    uint8_t hash[DIGEST_SIZE];
    acl_rig_hash(token, strlen(token), hash);
    return acl_find(acl, hash, now_ms, ret_user);
}

static void a_token_is_good_until_the_millisecond_of_its_end(void **state)
{
    struct acl *acl = acl_rig("user a token:one token:two expires=2027-01-31T00:00:00Z\n"
                              "user b token:three\nuser c token:four expires=2027-01-30T00:00:00Z");
    const uint64_t end_ms = UINT64_C(1801353600000);
    uint32_t user = 9;
    (void)state;
    assert_int_equal(find(acl, "one", end_ms - 1, &user), RC_OK);
    assert_int_equal(user, 0);
    assert_int_equal(find(acl, "two", end_ms - 1, &user), RC_OK);
    assert_int_equal(user, 0);
    assert_int_equal(find(acl, "two", end_ms, &user), RC_EXPIRED);
    assert_int_equal(find(acl, "three", UINT64_MAX - 1, &user), RC_OK);
    assert_int_equal(user, 1);
    assert_int_equal(find(acl, "One", 0, &user), RC_NOT_FOUND);
    assert_int_equal(find(acl, "", 0, &user), RC_NOT_FOUND);
    assert_int_equal(acl_next_end_ms(acl, 0), end_ms - DAY_MS);
    assert_int_equal(acl_next_end_ms(acl, end_ms - DAY_MS), end_ms);
    assert_int_equal(acl_next_end_ms(acl, end_ms), NEVER);
    acl_free(acl);
}

/* ---- What ---- */

static enum acl_why judge(const char *rules, enum acl_verb verb, const char *key, uint64_t ttl_s,
                          uint64_t size, struct acl_verdict *ret_verdict)
{
    char text[512];
    (void)snprintf(text, sizeof(text), "user *\n%s", rules);
    struct acl *acl = acl_rig(text);
    const struct acl_ask ask = {.verb = verb,
                                .key = (const uint8_t *)key,
                                .key_len = strlen(key),
                                .ttl_s = ttl_s,
                                .size = size};
    *ret_verdict = acl_judge(acl, 0, &ask);
    acl_free(acl);
    return ret_verdict->why;
}

static void each_line_allows_its_verbs_on_its_prefix(void **state)
{
    static const struct {
        const char *rules;
        enum acl_verb verb;
        const char *key;
        enum acl_why why;
        uint32_t line;
    } cases[] = {
        {"", ACL_READ, "a", ACL_NO_VERB, 0},
        {"allow read", ACL_READ, "a", ACL_ALLOWED, 2},
        {"allow read", ACL_READ, "", ACL_ALLOWED, 2},
        {"allow read", ACL_WRITE, "a", ACL_NO_VERB, 0},
        {"allow read a/", ACL_READ, "a/x", ACL_ALLOWED, 2},
        {"allow read a/", ACL_READ, "a/", ACL_ALLOWED, 2},
        {"allow read a/", ACL_READ, "a", ACL_NO_PREFIX, 0},
        {"allow read a/", ACL_READ, "b/x", ACL_NO_PREFIX, 0},
        {"allow read a/", ACL_READ, "", ACL_NO_PREFIX, 0},
        {"allow read a/\nallow read b/", ACL_READ, "b/x", ACL_ALLOWED, 3},
        {"allow write,list b/\nallow read a/", ACL_LIST, "b/x", ACL_ALLOWED, 2},
        {"allow all", ACL_ADMIN, "", ACL_ALLOWED, 2},
        {"allow all", ACL_METRICS, "", ACL_ALLOWED, 2},
        {"allow all a/", ACL_STATUS, "", ACL_NO_VERB, 0},
        {"allow all a/", ACL_STATUS, "a/", ACL_NO_VERB, 0},
        {"allow all a/", ACL_WATCH, "a/b", ACL_ALLOWED, 2},
        {"allow status,metrics", ACL_STATUS, "", ACL_ALLOWED, 2},
        {"allow status,metrics", ACL_ADMIN, "", ACL_NO_VERB, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct acl_verdict v;
        assert_int_equal(judge(cases[i].rules, cases[i].verb, cases[i].key, 0, 0, &v),
                         cases[i].why);
        assert_int_equal(v.line, cases[i].line);
    }
}

/* Nothing is normalised: a prefix is bytes, and so is a key. */
static void prefix_with_encoded_and_dotdot_bytes(void **state)
{
    static const struct {
        const char *prefix, *key;
        bool is_in;
    } cases[] = {{"a/../b", "a/../b/c", true},
                 {"a/../b", "b/c", false},
                 {"a/", "a/../b", true},
                 {"a%2F", "a/x", true},
                 {"a%2f", "a/x", true},
                 {"a%2F", "a%2Fx", false},
                 {"a%252F", "a%2Fx", true},
                 {"a%25", "a%", true},
                 {"%23x", "#x", true},
                 {"a%20b", "a b", true},
                 {"a+b", "a+b", true},
                 {"a+b", "a b", false},
                 {"a%3Cb%3Dc", "a<b=c", true},
                 {"%ff%fe", "\xff\xfe\xfd", true},
                 {"\xc3\xa4", "\xc3\xa4", true},
                 {"%C3%A4", "\xc3\xa4/x", true},
                 {"//", "//x", true},
                 {"//", "/x", false},
                 {"./", "./x", true},
                 {"A", "a", false}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char rules[64];
        struct acl_verdict v;
        (void)snprintf(rules, sizeof(rules), "allow read %s", cases[i].prefix);
        assert_int_equal(judge(rules, ACL_READ, cases[i].key, 0, 0, &v) == ACL_ALLOWED,
                         cases[i].is_in);
    }
}

static void a_write_is_bounded_by_one_line_as_a_whole(void **state)
{
    static const char rules[] = "allow write a/ ttl<=60 size<=100\n"
                                "allow write a/ ttl<=1h size<=10\n"
                                "allow write a/big size<=1KiB\n"
                                "allow read a/";
    static const struct {
        const char *key;
        uint64_t ttl_s, size;
        enum acl_why why;
        uint32_t line;
        uint64_t limit, size_max;
    } cases[] = {
        {"a/x", 60, 100, ACL_ALLOWED, 2, 0, 100},
        {"a/x", 60, 101, ACL_SIZE, 2, 100, 100},
        {"a/x", 61, 10, ACL_ALLOWED, 3, 0, 10},
        {"a/x", 61, 11, ACL_SIZE, 3, 10, 10},
        {"a/x", 3600, 0, ACL_ALLOWED, 3, 0, 10},
        {"a/x", 3601, 0, ACL_TTL, 3, 3600, 0},
        {"a/big", 3601, 1024, ACL_ALLOWED, 4, 0, 1024},
        {"a/big", 3601, 1025, ACL_SIZE, 4, 1024, 1024},
        {"a/big", 60, 0, ACL_ALLOWED, 2, 0, 1024},
        {"b", 60, 0, ACL_NO_PREFIX, 0, 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct acl_verdict v;
        assert_int_equal(judge(rules, ACL_WRITE, cases[i].key, cases[i].ttl_s, cases[i].size, &v),
                         cases[i].why);
        assert_int_equal(v.line, cases[i].line);
        assert_int_equal(v.limit, cases[i].limit);
        assert_int_equal(v.size_max, cases[i].size_max);
    }
    struct acl_verdict v;
    assert_int_equal(judge("allow write", ACL_WRITE, "k", 1, 1, &v), ACL_ALLOWED);
    assert_int_equal(v.size_max, UINT64_MAX);
}

static void prefixes_are_named_as_the_file_has_them(void **state)
{
    char text[64];
    struct acl *acl = acl_rig("user *\nallow read app/\nallow list x/\nallow read a%20b%25%ff\n"
                              "allow read,list z/");
    (void)state;
    assert_string_equal(acl_prefixes(acl, 0, ACL_READ, text, sizeof(text)),
                        "app/, a%20b%25%FF, z/");
    assert_string_equal(acl_prefixes(acl, 0, ACL_WATCH, text, sizeof(text)), "");
    assert_string_equal(acl_prefixes(acl, 0, ACL_READ, text, 20), "app/, a%20b%25...");
    assert_string_equal(acl_prefixes(acl, 0, ACL_READ, text, 25), "app/, a%20b%25%FF, ...");
    acl_free(acl);
    assert_string_equal(acl_verb_name(ACL_READ), "read");
    assert_string_equal(acl_verb_name(ACL_ADMIN), "admin");
}

/* With any room: what is named is named whole or ends in "...", and never runs into the next. */
static void prefixes_of_any_length_are_cut_at_any_length(void **state)
{
    enum { TRIED = 200, LEAST = 20, UNTOUCHED = 0x5a };
    char text[TRIED + 1], all[TRIED];
    struct acl *acl = acl_rig("user *\nallow read a\nallow read %ff%feb\nallow read cde/\n"
                              "allow read %20%20%20%20%20\nallow read f\nallow read g\n"
                              "allow read a-long-prefix-with-%25-and-%3d/\nallow read h");
    (void)state;
    (void)acl_prefixes(acl, 0, ACL_READ, all, sizeof(all));
    assert_string_equal(all, "a, %FF%FEb, cde/, %20%20%20%20%20, f, g, "
                             "a-long-prefix-with-%25-and-%3D/, h");
    for (size_t size = LEAST; size < TRIED; size++) {
        memset(text, UNTOUCHED, sizeof(text));
        (void)acl_prefixes(acl, 0, ACL_READ, text, size);
        assert_int_equal(text[size], UNTOUCHED);
        const size_t len = strnlen(text, size);
        assert_true(len < size);
        if (strcmp(text, all) != 0) {
            assert_string_equal(text + len - 3, "...");
            assert_memory_equal(text, all, len - 3);
            assert_true(len + 9 + 2 >= size); /* no shorter than it has to be */
        }
    }
    acl_free(acl);
}

static void files_are_told_apart_by_their_digest(void **state)
{
    struct acl *a = acl_rig("user *\nallow read app/\n");
    struct acl *b = acl_rig("user *\nallow read app/\n");
    struct acl *c = acl_rig("user *\nallow read apq/\n");
    char text[ACL_DESCRIBED_SIZE];
    (void)state;
    assert_int_equal(acl_digest(a), acl_digest(b));
    assert_int_not_equal(acl_digest(a), acl_digest(c));
    assert_int_equal(
        acl_digest(a),
        UINT64_C(0x81cd1d9557dd6bc5)); /* printf 'user *\nallow read app/\n' | sha256sum */
    assert_string_equal(acl_describe(a, text), "1 user, 1 line");
    acl_free(c);
    c = acl_rig("user a token:a\nuser *\nallow read\nallow write\n");
    assert_string_equal(acl_describe(c, text), "2 users, 2 lines");
    acl_free(a);
    acl_free(b);
    acl_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_wrong_is_said_with_its_line),
        cmocka_unit_test(blanks_comments_and_line_ends_of_any_system_are_nothing),
        cmocka_unit_test(users_and_lines_have_limits),
        cmocka_unit_test(a_text_and_a_prefix_have_limits),
        cmocka_unit_test(a_token_is_good_until_the_millisecond_of_its_end),
        cmocka_unit_test(each_line_allows_its_verbs_on_its_prefix),
        cmocka_unit_test(prefix_with_encoded_and_dotdot_bytes),
        cmocka_unit_test(a_write_is_bounded_by_one_line_as_a_whole),
        cmocka_unit_test(prefixes_are_named_as_the_file_has_them),
        cmocka_unit_test(prefixes_of_any_length_are_cut_at_any_length),
        cmocka_unit_test(files_are_told_apart_by_their_digest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
