// PCRE2 wants its code unit width named before its header is read.
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
