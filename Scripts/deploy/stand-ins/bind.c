// Preloaded: redirects a bind to an arbitrary loopback port to port 9092 of the address in LISTEN.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

int bind(int descriptor, const struct sockaddr *address, socklen_t length) {
    int (*original)(int, const struct sockaddr *, socklen_t) =
        (int (*)(int, const struct sockaddr *, socklen_t))dlsym(RTLD_NEXT, "bind");
    struct sockaddr_in wanted;
    if (address->sa_family == AF_INET && length == sizeof(wanted)) {
        memcpy(&wanted, address, sizeof(wanted));
        if (wanted.sin_port == 0 && wanted.sin_addr.s_addr == htonl(INADDR_LOOPBACK)) {
            wanted.sin_port = htons(9092);
            wanted.sin_addr.s_addr = inet_addr(getenv("LISTEN"));
            return original(descriptor, (struct sockaddr *)&wanted, length);
        }
    }
    return original(descriptor, address, length);
}
