#include "core/base/rc.h"

const char *rc_text(enum rc rc)
{
    switch (rc) {
#define RC_TEXT(name, value, text) \
    case RC_##name:                \
        return text;
        RC_TABLE(RC_TEXT)
#undef RC_TEXT
    }
    return "unknown error";
}
