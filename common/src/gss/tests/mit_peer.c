/*
 * One end of a GSS-API context by MIT's library, moved by lines on standard input. Octets travel in hexadecimal, none as
 * "-". Each line is answered by one: what the call gives, or "error" and the two statuses.
 *
 *   init TARGET FLAGS BINDINGS          the first token
 *   finish TOKEN                        flags
 *   accept BINDINGS TOKEN               token, flags, the client's name, the forwarded TGT's client or "-"
 *   wrap CONF DATA / mic DATA           a token
 *   rotated CONF DATA                   a token whose trailer stands at the front (RRC)
 *   unwrap TOKEN                        conf, data
 *   verify DATA MIC                     "ok"
 *   prf KEY LENGTH DATA                 octets
 *   limit CONF LENGTH                   octets
 *   time TOKEN TOKEN ...                nanoseconds of CPU to accept each, on average
 *
 * The library's headers are not needed to build this: what is declared here is RFC 2744's, and its extensions'.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>

typedef struct { uint32_t length; void *elements; } oid;
typedef struct { size_t length; void *value; } buffer;
typedef struct {
    uint32_t initiator_type; buffer initiator;
    uint32_t acceptor_type; buffer acceptor;
    buffer application;
} bindings;
typedef struct { uint32_t type; buffer buffer; } iov;

uint32_t gss_import_name(uint32_t *, buffer *, oid *, void **);
uint32_t gss_acquire_cred(uint32_t *, void *, uint32_t, void *, int, void **, void *, uint32_t *);
uint32_t gss_delete_sec_context(uint32_t *, void **, buffer *);
uint32_t gss_release_name(uint32_t *, void **);
uint32_t gss_release_buffer(uint32_t *, buffer *);
uint32_t gss_display_name(uint32_t *, void *, buffer *, oid **);
uint32_t gss_inquire_cred(uint32_t *, void *, void **, uint32_t *, int *, void *);
uint32_t gss_init_sec_context(uint32_t *, void *, void **, void *, oid *, uint32_t, uint32_t, bindings *, buffer *, oid **,
                              buffer *, uint32_t *, uint32_t *);
uint32_t gss_accept_sec_context(uint32_t *, void **, void *, buffer *, bindings *, void **, oid **, buffer *, uint32_t *,
                                uint32_t *, void **);
uint32_t gss_wrap(uint32_t *, void *, int, uint32_t, buffer *, int *, buffer *);
uint32_t gss_unwrap(uint32_t *, void *, buffer *, buffer *, int *, uint32_t *);
uint32_t gss_get_mic(uint32_t *, void *, uint32_t, buffer *, buffer *);
uint32_t gss_verify_mic(uint32_t *, void *, buffer *, buffer *, uint32_t *);
uint32_t gss_pseudo_random(uint32_t *, void *, int, buffer *, ssize_t, buffer *);
uint32_t gss_wrap_size_limit(uint32_t *, void *, int, uint32_t, uint32_t, uint32_t *);
uint32_t gss_wrap_iov(uint32_t *, void *, int, uint32_t, int *, iov *, int);

enum { CONTINUE = 1, HEADER = 2, DATA = 1, PADDING = 9, ALLOCATE = 0x10000, ACCEPT = 2 };

static oid krb5 = { 9, "\x2a\x86\x48\x86\xf7\x12\x01\x02\x02" };
static oid principal = { 10, "\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\x01" };

static void *context, *target;
static uint32_t flags, minor;
static bindings channel;
static bindings *bound;

static buffer octets(const char *hex)
{
    buffer out = { strcmp(hex, "-") ? strlen(hex) / 2 : 0, NULL };
    unsigned char *to = malloc(out.length + 1);
    for (size_t i = 0; i < out.length; i++) {
        unsigned octet;
        sscanf(hex + 2 * i, "%2x", &octet);
        to[i] = octet;
    }
    out.value = to;
    return out;
}

static void print(const buffer *part)
{
    const unsigned char *from = part->value;
    if (part->length == 0)
        printf("-");
    for (size_t i = 0; i < part->length; i++)
        printf("%02x", from[i]);
}

static void bind(const char *hex)
{
    memset(&channel, 0, sizeof channel);
    channel.application = octets(hex);
    bound = strcmp(hex, "-") ? &channel : NULL;
}

static void print_name(void *name)
{
    buffer text = { 0, NULL };
    gss_display_name(&minor, name, &text, NULL);
    printf("%.*s", (int)text.length, (char *)text.value);
}

static uint32_t init(buffer *in)
{
    buffer out = { 0, NULL };
    uint32_t major = gss_init_sec_context(&minor, NULL, &context, target, &krb5, flags, 0, bound, in, NULL, &out, &flags, NULL);
    if (major > CONTINUE)
        return major;
    if (in == NULL)
        print(&out);
    else
        printf("%u", flags);
    return 0;
}

static uint32_t accept(buffer in)
{
    buffer out = { 0, NULL };
    void *client = NULL, *delegated = NULL, *owner = NULL;
    uint32_t major = gss_accept_sec_context(&minor, &context, NULL, &in, bound, &client, NULL, &out, &flags, NULL, &delegated);
    if (major)
        return major;
    print(&out);
    printf(" %u ", flags);
    print_name(client);
    printf(" ");
    if (delegated && gss_inquire_cred(&minor, delegated, &owner, NULL, NULL, NULL) == 0)
        print_name(owner);
    else
        printf("-");
    return 0;
}

static uint32_t rotated(int conf, buffer in)
{
    iov parts[] = { { HEADER | ALLOCATE, { 0, NULL } }, { DATA, in }, { PADDING | ALLOCATE, { 0, NULL } } };
    uint32_t major = gss_wrap_iov(&minor, context, conf, 0, NULL, parts, 3);
    if (major)
        return major;
    print(&parts[0].buffer);
    if (in.length)
        print(&parts[1].buffer);
    return 0;
}

static double cpu_time(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return now.tv_sec * 1e9 + now.tv_nsec;
}

static uint32_t time_accept(char *line)
{
    static void *credential;
    size_t count = 0;
    double spent = 0;
    if (!credential)
        gss_acquire_cred(&minor, NULL, 0, NULL, ACCEPT, &credential, NULL, NULL);
    strtok(line, " \n");
    for (char *word; (word = strtok(NULL, " \n")); count++) {
        buffer in = octets(word), out = { 0, NULL };
        void *one = NULL, *client = NULL;
        double before = cpu_time();
        uint32_t major = gss_accept_sec_context(&minor, &one, credential, &in, NULL, &client, NULL, &out, &flags, NULL, NULL);
        if (major)
            return major;
        gss_release_buffer(&minor, &out);
        gss_release_name(&minor, &client);
        gss_delete_sec_context(&minor, &one, NULL);
        spent += cpu_time() - before;
        free(in.value);
    }
    printf("%.0f", spent / count);
    return 0;
}

static uint32_t obey(char *line)
{
    if (!strncmp(line, "time ", 5))
        return time_accept(line);
    char *word[4] = { strtok(line, " \n"), strtok(NULL, " \n"), strtok(NULL, " \n"), strtok(NULL, " \n") };
    buffer out = { 0, NULL }, in, other;
    uint32_t major, length;
    int conf = 0;
    if (!strcmp(word[0], "init")) {
        buffer name = { strlen(word[1]), word[1] };
        if ((major = gss_import_name(&minor, &name, &principal, &target)))
            return major;
        flags = strtoul(word[2], NULL, 10);
        bind(word[3]);
        return init(NULL);
    }
    if (!strcmp(word[0], "finish")) {
        in = octets(word[1]);
        return init(&in);
    }
    if (!strcmp(word[0], "accept")) {
        bind(word[1]);
        return accept(octets(word[2]));
    }
    if (!strcmp(word[0], "rotated"))
        return rotated(atoi(word[1]), octets(word[2]));
    if (!strcmp(word[0], "limit")) {
        major = gss_wrap_size_limit(&minor, context, atoi(word[1]), 0, strtoul(word[2], NULL, 10), &length);
        if (!major)
            printf("%u", length);
        return major;
    }
    if (!strcmp(word[0], "verify")) {
        in = octets(word[1]);
        other = octets(word[2]);
        if ((major = gss_verify_mic(&minor, context, &in, &other, NULL)) == 0)
            printf("ok");
        return major;
    }
    if (!strcmp(word[0], "unwrap")) {
        in = octets(word[1]);
        if ((major = gss_unwrap(&minor, context, &in, &out, &conf, NULL)))
            return major;
        printf("%d ", conf);
    } else if (!strcmp(word[0], "wrap")) {
        in = octets(word[2]);
        major = gss_wrap(&minor, context, atoi(word[1]), 0, &in, NULL, &out);
    } else if (!strcmp(word[0], "mic")) {
        in = octets(word[1]);
        major = gss_get_mic(&minor, context, 0, &in, &out);
    } else {
        in = octets(word[3]);
        major = gss_pseudo_random(&minor, context, atoi(word[1]), &in, atoi(word[2]), &out);
    }
    if (!major)
        print(&out);
    return major;
}

int main(void)
{
    char *line = NULL;
    size_t room = 0;
    while (getline(&line, &room, stdin) > 0) {
        uint32_t major = obey(line);
        if (major)
            printf("error %08x %u", major, minor);
        printf("\n");
        fflush(stdout);
    }
    return 0;
}
