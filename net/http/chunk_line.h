/*
 * chunk_line: a chunk's line, byte by byte: its size is kept and its extensions are dropped.
 *
 *   chunk-ext = *( BWS ";" BWS token [ BWS "=" BWS ( token / quoted-string ) ] )
 *
 * (RFC 9112 section 7.1.1). BWS are blanks that a recipient takes. llhttp refuses them, a second
 * extension behind a value without quotes, and a '\' in quotes; nobody needs what extensions say.
 * So they are judged here, and llhttp is given what is kept: the size, which it judges, and CRLF.
 */
#ifndef NET_HTTP_CHUNK_LINE_H
#define NET_HTTP_CHUNK_LINE_H

#include <stdbool.h>
#include <stdint.h>

enum chunk_part {
    CHUNK_PART_SIZE,        /* at the start of the line */
    CHUNK_PART_BEFORE_SEMI, /* behind a blank after a size or a value */
    CHUNK_PART_BEFORE_NAME, /* behind ';' */
    CHUNK_PART_NAME,
    CHUNK_PART_AFTER_NAME,   /* behind a blank after it */
    CHUNK_PART_BEFORE_VALUE, /* behind '=' */
    CHUNK_PART_VALUE,
    CHUNK_PART_QUOTED,
    CHUNK_PART_ESCAPED, /* behind '\' in quotes */
    CHUNK_PART_AFTER_QUOTED,
    CHUNK_PART_END, /* behind CR */
};

struct chunk_line {
    enum chunk_part part;
    bool has_size; /* a byte of it */
};

enum chunk_byte { CHUNK_BYTE_KEPT, CHUNK_BYTE_DROPPED, CHUNK_BYTE_WRONG };

/* Takes the next byte, up to the line's LF. Begins zeroed, and anew for each line. */
enum chunk_byte chunk_line_take(struct chunk_line *l, uint8_t byte);

#endif
