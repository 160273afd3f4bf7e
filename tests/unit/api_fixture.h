/*
 * api_fixture: a front door over a fake engine, asked without a socket.
 *
 * One exchange at a time: ask() builds the request, hands it to api_handle() and keeps the answer,
 * with a streamed body run to its end, until the next one.
 */
#ifndef TESTS_API_FIXTURE_H
#define TESTS_API_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fake_engine.h"
#include "net/api/api.h"

#include <stdio.h>
#include <strings.h>

enum { FIXTURE_HEADERS_MAX = 8, FIXTURE_PIECES_MAX = 100000 };

struct fixture {
    struct engine engine;
    struct api *api;
    struct api_config api_config;
    uint64_t now_us;
    uint64_t waited_us; /* for how long the next request has been there */
    uint64_t last_id;
    unsigned scrapes, looks; /* how often, and how, the figures were requested */
    size_t piece_max;        /* room that a stream finds for each piece */
    size_t pieces;           /* of the last stream */
    struct http_header headers[FIXTURE_HEADERS_MAX];
    size_t header_count;
    const void *body;
    struct blob *blob;
    size_t body_len;
    uint64_t body_max; /* of the last request, as it was judged */
    struct http_response rs;
    struct buf text;   /* the answer's whole body */
    const char *alone; /* as in struct api_figures */
};

static inline uint64_t fixture_now(void *arg)
{
    return ((struct fixture *)arg)->now_us;
}

static inline void fixture_figures(void *arg, bool is_scrape, struct api_figures *ret)
{
    struct fixture *f = arg;
    f->scrapes += is_scrape;
    f->looks += !is_scrape;
    *ret = (struct api_figures){
        .process = {.resident_bytes = 5000000, .cpu_us = 1500000, .open_fds = 12},
        .alone = f->alone};
    ret->http.requests_by_class[2] = 7;
}

static inline int fixture_setup(void **state)
{
    struct fixture *f = mem_new(1, sizeof(*f));
    fake_engine_init(&f->engine);
    f->now_us = 1000000;
    f->piece_max = 1 << 16;
    const struct api_config config = {.engine = &f->engine,
                                      .version = "1.2.3",
                                      .domain = "localhost",
                                      .network = "private",
                                      .port = 8081,
                                      .ttl_default_s = 3600,
                                      .ttl_min_s = 300,
                                      .ttl_max_s = 86400,
                                      .value_max = 10 << 20,
                                      .config_digest = 0xfeedfacecafebeef,
                                      .now_us = fixture_now,
                                      .now_arg = f};
    f->api_config = config;
    f->api = api_new(&config, f->now_us);
    http_response_init(&f->rs);
    buf_init(&f->text, 64 << 20);
    *state = f;
    return 0;
}

/* A front door that serves these pages. */
static inline void fixture_set_pages(struct fixture *f, const struct page_data *files)
{
    api_free(f->api);
    f->api_config.pages = (struct pages){.files = files};
    f->api = api_new(&f->api_config, f->now_us);
}

static inline int fixture_teardown(void **state)
{
    struct fixture *f = *state;
    api_free(f->api);
    fake_engine_fini(&f->engine);
    http_response_fini(&f->rs);
    buf_fini(&f->text);
    free(f);
    return 0;
}

static inline struct http_text fixture_text(const char *text)
{
    return (struct http_text){.data = text, .len = strlen(text)};
}

/* Adds a header to the next request. */
static inline void with_header(struct fixture *f, const char *name, const char *value)
{
    assert_true(f->header_count < FIXTURE_HEADERS_MAX);
    f->headers[f->header_count++] =
        (struct http_header){.name = fixture_text(name), .value = fixture_text(value)};
}

/* Gives the next request a body. */
static inline void with_body(struct fixture *f, const char *text)
{
    f->body = text;
    f->body_len = strlen(text);
}

static inline struct http_request fixture_request(const struct fixture *f, enum http_method method,
                                                  const char *target)
{
    static const uint8_t client[4] = {192, 0, 2, 1};
    struct http_request rq = {.id = f->last_id,
                              .client = addr_v4(client, 9),
                              .method = method,
                              .target = fixture_text(target),
                              .headers = f->headers,
                              .header_count = f->header_count,
                              .body = f->body,
                              .blob = f->blob,
                              .body_len = f->body_len};
    const char *mark = strchr(target, '?');
    rq.path = fixture_text(target);
    rq.query = fixture_text(mark == NULL ? "" : mark + 1);
    if (mark != NULL) {
        rq.path.len = (size_t)(mark - target);
    }
    rq.route = api_route(f->api, &rq);
    return rq;
}

/* Reads the answer's body into f->text, as a server would send it. */
static inline void fixture_read_body(struct fixture *f)
{
    const uint8_t *run = NULL;
    buf_clear(&f->text);
    if (f->rs.kind == HTTP_BODY_BYTES) {
        assert_int_equal(buf_append(&f->text, buf_data(&f->rs.bytes), f->rs.bytes.len), RC_OK);
    } else if (f->rs.kind == HTTP_BODY_BLOB) {
        for (size_t at = 0; at < blob_len(f->rs.blob);) {
            const size_t len = blob_run(f->rs.blob, at, &run);
            assert_int_equal(buf_append(&f->text, run, len), RC_OK);
            at += len;
        }
    } else if (f->rs.kind == HTTP_BODY_STREAM) {
        struct buf piece;
        buf_init(&piece, f->piece_max);
        bool is_more = true;
        for (f->pieces = 0; is_more; f->pieces++) {
            assert_true(f->pieces < FIXTURE_PIECES_MAX);
            is_more = f->rs.produce(f->rs.arg, &piece);
            assert_true(piece.len > 0); /* or a server would wait for ever */
            assert_int_equal(buf_append(&f->text, buf_data(&piece), piece.len), RC_OK);
            buf_clear(&piece);
        }
        buf_fini(&piece);
    }
    assert_int_equal(buf_append(&f->text, "", 1), RC_OK);
    assert_int_equal(buf_append(&f->rs.headers, "", 1), RC_OK);
}

static inline void fixture_reset(struct fixture *f)
{
    http_response_fini(&f->rs);
    http_response_init(&f->rs);
}

/* What the server adds to every answer. */
static inline void fixture_end(struct fixture *f, const struct http_request *rq)
{
    if (f->rs.kind != HTTP_BODY_DEFER && rq->route.cors != NULL) {
        http_add_lines(&f->rs, rq->route.cors);
    }
}

/* Sends the request; returns the status, 0 for a deferred answer. */
static inline int ask(struct fixture *f, enum http_method method, const char *target)
{
    f->last_id++;
    fixture_reset(f);
    struct http_request rq = fixture_request(f, method, target);
    const bool is_judged = api_judge(f->api, &rq, f->now_us, &f->rs);
    if (is_judged) {
        api_handle(f->api, &rq, &f->rs, f->now_us - f->waited_us, f->now_us, fixture_figures, f);
    }
    f->body_max = rq.route.body_max;
    fixture_end(f, &rq);
    f->header_count = 0;
    f->body = NULL;
    f->body_len = 0;
    f->blob = NULL;
    if (f->rs.kind == HTTP_BODY_DEFER) {
        return 0;
    }
    fixture_read_body(f);
    return f->rs.status;
}

/* Settles the write of the last request and reads its answer. */
static inline int settle(struct fixture *f, enum put_status status, uint32_t have, uint32_t members)
{
    struct put_done done = f->engine.done;
    assert_int_equal(done.token, f->last_id);
    done.status = status;
    done.have = have;
    done.members = members;
    fixture_reset(f);
    api_put_settled(f->api, &done, f->now_us);
    api_put_done(f->api, &done, f->now_us, &f->rs);
    fixture_read_body(f);
    return f->rs.status;
}

/* Writes a text and settles it. */
static inline void write_text(struct fixture *f, const char *target, const char *text)
{
    with_body(f, text);
    assert_int_equal(ask(f, HTTP_PUT_, target), 0);
    assert_int_equal(settle(f, PUT_QUORUM, 1, 1), 201);
}

static inline const char *body_text(const struct fixture *f)
{
    return (const char *)buf_data(&f->text);
}

/* How often the answer has the header; its last value to *ret_value. */
static inline size_t fixture_header(struct fixture *f, const char *name, char *ret_value,
                                    size_t size)
{
    const size_t name_len = strlen(name);
    size_t count = 0;
    const char *line = (const char *)buf_data(&f->rs.headers);
    const char *end = line + f->rs.headers.len;
    while (line < end && *line != '\0') { /* which ends them, if it is there */
        const char *cr = memchr(line, '\r', (size_t)(end - line));
        assert_true(cr != NULL && end - cr >= 2 && cr[1] == '\n');
        const size_t len = (size_t)(cr - line);
        if (len > name_len + 2 && strncasecmp(line, name, name_len) == 0 && line[name_len] == ':') {
            (void)snprintf(ret_value, size, "%.*s", (int)(len - name_len - 2), line + name_len + 2);
            count++;
        }
        line += len + 2;
    }
    return count;
}

static inline void assert_header(struct fixture *f, const char *name, const char *value)
{
    char text[512] = "";
    assert_int_equal(fixture_header(f, name, text, sizeof(text)), 1);
    assert_string_equal(text, value);
}

static inline void assert_no_header(struct fixture *f, const char *name)
{
    char text[512];
    assert_int_equal(fixture_header(f, name, text, sizeof(text)), 0);
}

/* The answer is a problem with this code. */
static inline void assert_problem(struct fixture *f, const char *code)
{
    char wanted[64];
    (void)snprintf(wanted, sizeof(wanted), "\"code\":\"%s\"", code);
    assert_header(f, "Content-Type", "application/problem+json");
    assert_non_null(strstr(body_text(f), wanted));
}

#endif
