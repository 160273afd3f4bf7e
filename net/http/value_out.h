/*
 * value_out: a value inside JSON, where many values stand together. It is in base64, and left out
 * when it is large: large ones are read one by one.
 */
#ifndef NET_HTTP_VALUE_OUT_H
#define NET_HTTP_VALUE_OUT_H

#include "core/base/base64.h"
#include "core/store/record.h"

enum {
    VALUE_OUT_BYTES_MAX = 16 * 1024, /* of a value that is shown */
    VALUE_OUT_TEXT_MAX = 16 + BASE64_TEXT_MAX(VALUE_OUT_BYTES_MAX),
};

/* Writes ,"value":"..." or ,"value_omitted":true to ret_text, which has VALUE_OUT_TEXT_MAX bytes;
 * returns its length. */
size_t value_out_member(const struct record *r, char *ret_text);

#endif
