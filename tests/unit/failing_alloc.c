#include "tests/unit/failing_alloc.h"

#include "core/base/assert.h"

#include <cjson/cJSON.h>
#include <event2/buffer.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <execinfo.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    BLOCKS_MIN = 1 << 12, /* places of the table of blocks; it doubles when half full */
    SITES_MAX = 4096,
    CHILD_S = 60,    /* a child that has not aborted by then will not */
    FRAMES_MAX = 48, /* from a library's call of the allocator up to the product's code */
};

/* The linker's own: where the program's code begins and ends. */
extern const char __executable_start, etext;

enum site_kind { SITE_FAILED, SITE_ENDED, SITE_COPES };

struct site {
    uintptr_t at;
    enum site_kind kind;
};

static struct {
    void **blocks; /* open addressing; NULL is free */
    size_t block_count, block_places;
    struct site sites[SITES_MAX];
    size_t site_count;
    uint64_t left; /* calls until one fails */
    bool is_armed, is_lasting, has_failed;
    bool is_certain;        /* within a call that ends the process when there is none */
    bool is_trial;          /* places of such calls are tried when they are met first */
    bool is_doomed;         /* in the child that must end */
    bool is_coping;         /* in a child that may */
    const char *sites_path; /* NULL: nobody asks for the sites */
} state;

/* The names are the linker's: __real_x is the library's x, and __wrap_x is called for it. */
/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp,readability-identifier-naming)
 */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *ptr, size_t size);
void __real_free(void *ptr);
void *__real_mem_new(size_t count, size_t size);
void *__real_mem_resize(void *ptr, size_t count, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *ptr, size_t size);
char *__wrap_strdup(const char *text);
void __wrap_free(void *ptr);
void *__wrap_mem_new(size_t count, size_t size);
void *__wrap_mem_resize(void *ptr, size_t count, size_t size);
struct event *__real_event_new(struct event_base *base, evutil_socket_t fd, short what,
                               event_callback_fn callback, void *arg);
struct event *__wrap_event_new(struct event_base *base, evutil_socket_t fd, short what,
                               event_callback_fn callback, void *arg);
struct evbuffer *__real_evbuffer_new(void);
struct evbuffer *__wrap_evbuffer_new(void);
SSL_CTX *__real_SSL_CTX_new(const SSL_METHOD *method);
SSL_CTX *__wrap_SSL_CTX_new(const SSL_METHOD *method);
SSL *__real_SSL_new(SSL_CTX *ctx);
SSL *__wrap_SSL_new(SSL_CTX *ctx);
struct bufferevent *__real_bufferevent_openssl_socket_new(struct event_base *base,
                                                          evutil_socket_t fd, SSL *ssl,
                                                          enum bufferevent_ssl_state ssl_state,
                                                          int options);
struct bufferevent *__wrap_bufferevent_openssl_socket_new(struct event_base *base,
                                                          evutil_socket_t fd, SSL *ssl,
                                                          enum bufferevent_ssl_state ssl_state,
                                                          int options);

/* ---- Which blocks there are ---- */

static size_t place_of(const void *block)
{
    const uint64_t spread = (uint64_t)(uintptr_t)block * UINT64_C(0x9e3779b97f4a7c15);
    size_t at = (size_t)(spread >> 32) & (state.block_places - 1);
    while (state.blocks[at] != NULL && state.blocks[at] != block) {
        at = (at + 1) & (state.block_places - 1);
    }
    return at;
}

static void widen(void)
{
    void **old = state.blocks;
    const size_t places = state.block_places;
    state.block_places = places == 0 ? BLOCKS_MIN : 2 * places;
    state.blocks = __real_calloc(state.block_places, sizeof(*state.blocks));
    ASSERT(state.blocks != NULL);
    for (size_t i = 0; i < places; i++) {
        if (old[i] != NULL) {
            state.blocks[place_of(old[i])] = old[i];
        }
    }
    __real_free((void *)old);
}

static void *block_add(void *block)
{
    if (block != NULL) {
        if (2 * state.block_count >= state.block_places) {
            widen();
        }
        state.blocks[place_of(block)] = block;
        state.block_count++;
    }
    return block;
}

/* What the C library allocated by itself is not known here. */
static void block_remove(const void *block)
{
    if (state.block_places == 0 || block == NULL) {
        return;
    }
    size_t at = place_of(block);
    if (state.blocks[at] == NULL) {
        return;
    }
    state.blocks[at] = NULL;
    state.block_count--;
    for (at = (at + 1) & (state.block_places - 1); state.blocks[at] != NULL;
         at = (at + 1) & (state.block_places - 1)) {
        void *moved = state.blocks[at];
        state.blocks[at] = NULL;
        state.blocks[place_of(moved)] = moved;
    }
}

/* ---- Where calls come from ---- */

static bool is_site(uintptr_t at, enum site_kind kind)
{
    for (size_t i = 0; i < state.site_count; i++) {
        if (state.sites[i].at == at && state.sites[i].kind == kind) {
            return true;
        }
    }
    return false;
}

static void site_add(uintptr_t at, enum site_kind kind)
{
    if (!is_site(at, kind)) {
        ASSERT(state.site_count < SITES_MAX);
        state.sites[state.site_count++] = (struct site){at, kind};
    }
}

static bool is_ours(uintptr_t at)
{
    return at >= (uintptr_t)&__executable_start && at < (uintptr_t)&etext;
}

/* A library's call: the first place above it that is the program's own. */
static uintptr_t caller_of_library(void)
{
    void *frames[FRAMES_MAX];
    const int count = backtrace(frames, FRAMES_MAX);
    int i = 0;
    while (i < count && is_ours((uintptr_t)frames[i])) { /* this file */
        i++;
    }
    while (i < count && !is_ours((uintptr_t)frames[i])) {
        i++;
    }
    return i < count ? (uintptr_t)frames[i] : 0;
}

static void write_sites(void)
{
    FILE *to = fopen(state.sites_path, "we");
    ASSERT(to != NULL);
    for (size_t i = 0; i < state.site_count; i++) {
        static const char *const names[] = {"failed", "ended", "copes"};
        (void)fprintf(to, "%s %zx\n", names[state.sites[i].kind],
                      (size_t)(state.sites[i].at - (uintptr_t)&__executable_start));
    }
    ASSERT(fclose(to) == 0);
}

__attribute__((constructor)) static void begin(void)
{
    state.sites_path = getenv("REPRAM_ALLOC_SITES"); /* tests may clear the environment */
    if (state.sites_path != NULL) {
        state.is_trial = true;
        ASSERT(atexit(write_sites) == 0);
    }
}

/* ---- Calls that may fail ---- */

/* `at` 0: a library's, whose caller is looked for only when it matters. */
static bool is_refused(uintptr_t at)
{
    if (state.is_coping) {
        _exit(EXIT_SUCCESS);
    }
    if (state.is_certain) {
        return state.is_doomed;
    }
    if (!state.is_armed) {
        return false;
    }
    if (state.left > 0) {
        state.left--;
        return false;
    }
    state.is_armed = state.is_lasting;
    state.has_failed = true;
    site_add(at != 0 ? at : caller_of_library(), SITE_FAILED);
    return true;
}

static void *resize(void *ptr, size_t size)
{
    block_remove(ptr);
    void *grown = __real_realloc(ptr, size);
    if (grown != NULL) {
        (void)block_add(grown);
    } else if (size > 0) {
        (void)block_add(ptr);
    }
    return grown;
}

void *__wrap_malloc(size_t size)
{
    const uintptr_t at = (uintptr_t)__builtin_return_address(0);
    return is_refused(at) ? NULL : block_add(__real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size)
{
    const uintptr_t at = (uintptr_t)__builtin_return_address(0);
    return is_refused(at) ? NULL : block_add(__real_calloc(count, size));
}

void *__wrap_realloc(void *ptr, size_t size)
{
    const uintptr_t at = (uintptr_t)__builtin_return_address(0);
    return is_refused(at) ? NULL : resize(ptr, size);
}

char *__wrap_strdup(const char *text)
{
    const uintptr_t at = (uintptr_t)__builtin_return_address(0);
    const size_t size = strlen(text) + 1;
    char *copy = is_refused(at) ? NULL : block_add(__real_malloc(size));
    if (copy != NULL) {
        memcpy(copy, text, size);
    }
    return copy;
}

void __wrap_free(void *ptr)
{
    if (state.is_coping) {
        _exit(EXIT_SUCCESS);
    }
    block_remove(ptr);
    __real_free(ptr);
}

/* Of OpenSSL only the call as a whole fails: within, it may lose memory of its own. */
SSL_CTX *__wrap_SSL_CTX_new(const SSL_METHOD *method)
{
    const uintptr_t at = (uintptr_t)__builtin_return_address(0);
    return is_refused(at) ? NULL : __real_SSL_CTX_new(method);
}

SSL *__wrap_SSL_new(SSL_CTX *ctx)
{
    const uintptr_t at = (uintptr_t)__builtin_return_address(0);
    return is_refused(at) ? NULL : __real_SSL_new(ctx);
}

/* This one as a whole too, as libevent 2.1.12 does it without memory for the structure itself:
 * without memory for what is in it, it frees what it has not filled yet. */
struct bufferevent *__wrap_bufferevent_openssl_socket_new(struct event_base *base,
                                                          evutil_socket_t fd, SSL *ssl,
                                                          enum bufferevent_ssl_state ssl_state,
                                                          int options)
{
    const uintptr_t at = (uintptr_t)__builtin_return_address(0);
    if (is_refused(at)) {
        if ((options & BEV_OPT_CLOSE_ON_FREE) != 0) {
            SSL_free(ssl);
        }
        return NULL;
    }
    const bool was_certain = state.is_certain;
    state.is_certain = true;
    struct bufferevent *bev =
        __real_bufferevent_openssl_socket_new(base, fd, ssl, ssl_state, options);
    state.is_certain = was_certain;
    return bev;
}

/* ---- Calls that end the process ---- */

/* In a child: its memory is at an end, and it has nobody to tell. */
static void become_quiet(void)
{
    const struct rlimit none = {0, 0};
    const int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    (void)setrlimit(RLIMIT_CORE, &none);
    (void)dup2(null, STDERR_FILENO);
    (void)close_range(STDERR_FILENO + 1, ~0U, 0); /* nothing of it reaches what the test talks to */
    (void)signal(SIGABRT, SIG_DFL);
    (void)alarm(CHILD_S);
}

/* Forks: false in the child; true in the test once the child has ended, by *ret_status. */
static bool has_sent_child(int *ret_status)
{
    (void)fflush(NULL);
    const pid_t child = fork();
    ASSERT(child >= 0);
    if (child == 0) {
        become_quiet();
        return false;
    }
    ASSERT(waitpid(child, ret_status, 0) == child);
    return true;
}

static bool has_aborted(int status)
{
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static bool is_tried(uintptr_t at)
{
    return !state.is_trial || state.is_doomed || is_site(at, SITE_ENDED) || is_site(at, SITE_COPES);
}

/* Returns in a child, whose call finds no memory, and in the test once that child has ended. */
static void try_end(uintptr_t at)
{
    int status = 0;
    if (is_tried(at)) {
        return;
    }
    if (!has_sent_child(&status)) {
        state.is_doomed = true;
        return;
    }
    ASSERT(has_aborted(status));
    site_add(at, SITE_ENDED);
}

void *__wrap_mem_new(size_t count, size_t size)
{
    try_end((uintptr_t)__builtin_return_address(0));
    state.is_certain = true;
    void *ptr = __real_mem_new(count, size);
    if (state.is_doomed) {
        _exit(EXIT_SUCCESS);
    }
    state.is_certain = false;
    return ptr;
}

void *__wrap_mem_resize(void *ptr, size_t count, size_t size)
{
    try_end((uintptr_t)__builtin_return_address(0));
    state.is_certain = true;
    void *grown = __real_mem_resize(ptr, count, size);
    if (state.is_doomed) {
        _exit(EXIT_SUCCESS);
    }
    state.is_certain = false;
    return grown;
}

/* Events and buffers of libevent: some callers assert them, others cope. A child that has got none
 * has coped when it allocates or frees next, or goes on without. False in it. */
static bool has_event(uintptr_t at)
{
    int status = 0;
    if (is_tried(at)) {
        state.is_certain = is_site(at, SITE_ENDED);
        return true;
    }
    if (!has_sent_child(&status)) {
        state.is_coping = true;
        return false;
    }
    ASSERT(has_aborted(status) || (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS) ||
           (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM));
    site_add(at, has_aborted(status) ? SITE_ENDED : SITE_COPES);
    return true;
}

struct event *__wrap_event_new(struct event_base *base, evutil_socket_t fd, short what,
                               event_callback_fn callback, void *arg)
{
    if (!has_event((uintptr_t)__builtin_return_address(0))) {
        return NULL;
    }
    struct event *event = __real_event_new(base, fd, what, callback, arg);
    state.is_certain = false;
    return event;
}

struct evbuffer *__wrap_evbuffer_new(void)
{
    if (!has_event((uintptr_t)__builtin_return_address(0))) {
        return NULL;
    }
    struct evbuffer *buffer = __real_evbuffer_new();
    state.is_certain = false;
    return buffer;
}

/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp,readability-identifier-naming)
 */

/* ---- What the libraries call ---- */

static void *library_malloc(size_t size)
{
    return is_refused(0) ? NULL : block_add(__real_malloc(size));
}

static void *library_realloc(void *ptr, size_t size)
{
    return is_refused(0) ? NULL : resize(ptr, size);
}

void failing_alloc_hook(void)
{
    cJSON_Hooks hooks = {.malloc_fn = library_malloc, .free_fn = __wrap_free};
    event_set_mem_functions(library_malloc, library_realloc, __wrap_free);
    cJSON_InitHooks(&hooks);
}

/* ---- Rounds ---- */

void failing_alloc_arm(uint64_t skipped, bool is_lasting)
{
    state.left = skipped;
    state.is_lasting = is_lasting;
    state.has_failed = false;
    state.is_armed = true;
}

void failing_alloc_recover(void)
{
    state.is_armed = false;
}

bool failing_alloc_has_failed(void)
{
    return state.has_failed;
}

uint64_t failing_alloc_blocks(void)
{
    return state.block_count;
}

static void expect_none_left(uint64_t before, const char *when, uint64_t n)
{
    if (state.block_count != before) {
        (void)fprintf(stderr, "%" PRId64 " blocks are left after a story %s %" PRIu64 "\n",
                      (int64_t)(state.block_count - before), when, n);
        abort();
    }
}

/* One telling; whether a call failed in it. */
static bool tell(void (*story)(void *arg), void *arg, uint64_t n, bool is_lasting)
{
    const uint64_t before = state.block_count;
    failing_alloc_arm(n, is_lasting);
    story(arg);
    failing_alloc_recover();
    expect_none_left(before, is_lasting ? "without memory from call" : "without memory at call", n);
    return state.has_failed;
}

uint64_t failing_alloc_each(void (*story)(void *arg), void *arg)
{
    return failing_alloc_some(story, arg, 1);
}

uint64_t failing_alloc_step(uint64_t usual)
{
    return getenv("REPRAM_ALLOC_ALL") != NULL ? 1 : usual;
}

uint64_t failing_alloc_some(void (*story)(void *arg), void *arg, uint64_t step)
{
    uint64_t failures = 0;
    state.has_failed = false;
    state.is_trial = true;
    story(arg); /* what libraries keep for ever they have now */
    state.is_trial = false;
    const uint64_t before = state.block_count;
    story(arg);
    expect_none_left(before, "with memory, telling", 2);
    for (int is_lasting = 0; is_lasting < 2; is_lasting++) {
        uint64_t n = 0;
        while (tell(story, arg, n, is_lasting != 0)) {
            n += step;
            failures++;
        }
    }
    return failures;
}
