/* Stands in for the system resolver, preloaded into the program. It answers the names of the tests:
 * "silent.test" never, "two.test" with the addresses 127.0.0.2 and 127.0.0.1 in this order. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>

typedef int resolver(const char *, const char *, const struct addrinfo *, struct addrinfo **);

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
    resolver *system_resolver = (resolver *)dlsym(RTLD_NEXT, "getaddrinfo");
    if (name != NULL && strcmp(name, "silent.test") == 0) {
        for (;;)
            pause();
    }
    if (name == NULL || strcmp(name, "two.test") != 0)
        return system_resolver(name, service, hints, found);
    int failed = system_resolver("127.0.0.2", service, hints, found);
    if (failed)
        return failed;
    struct addrinfo *last = *found;
    while (last->ai_next != NULL)
        last = last->ai_next;
    return system_resolver("127.0.0.1", service, hints, &last->ai_next);
}
