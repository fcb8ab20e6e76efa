// Wrappers for libcurl's variadic setters and getters, which Swift cannot import: one for each argument type. Only static
// inline functions; no state.
#ifndef CLAIRO_CCURL_SHIM_H
#define CLAIRO_CCURL_SHIM_H

// The type checks are macros that need a constant option; here it is a parameter.
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>

typedef size_t (*clairo_curl_transfer)(char *bytes, size_t size, size_t count, void *context);
typedef int (*clairo_curl_seek)(void *context, curl_off_t offset, int origin);

static inline CURLcode clairo_curl_set_long(CURL *easy, CURLoption option, long value) {
    return curl_easy_setopt(easy, option, value);
}
static inline CURLcode clairo_curl_set_off(CURL *easy, CURLoption option, curl_off_t value) {
    return curl_easy_setopt(easy, option, value);
}
static inline CURLcode clairo_curl_set_text(CURL *easy, CURLoption option, const char *value) {
    return curl_easy_setopt(easy, option, value);
}
static inline CURLcode clairo_curl_set_pointer(CURL *easy, CURLoption option, void *value) {
    return curl_easy_setopt(easy, option, value);
}
static inline CURLcode clairo_curl_set_transfer(CURL *easy, CURLoption option, clairo_curl_transfer value) {
    return curl_easy_setopt(easy, option, value);
}
static inline CURLcode clairo_curl_set_seek(CURL *easy, clairo_curl_seek value) {
    return curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, value);
}
static inline CURLMcode clairo_curl_multi_set_long(CURLM *multi, CURLMoption option, long value) {
    return curl_multi_setopt(multi, option, value);
}
static inline CURLcode clairo_curl_message_result(const CURLMsg *message) { return message->data.result; }

static const size_t clairo_curl_readfunc_abort = CURL_READFUNC_ABORT;

#endif
