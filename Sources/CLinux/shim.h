// Linux calls that Swift's Glibc module lacks, because they are variadic or need _GNU_SOURCE.
#include <errno.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

// prctl(2)
static inline int clairo_set_parent_death_signal(int number) {
    return prctl(PR_SET_PDEATHSIG, number, 0, 0, 0);
}
static inline int clairo_set_dumpable(int is_dumpable) { return prctl(PR_SET_DUMPABLE, is_dumpable, 0, 0, 0); }
static inline int clairo_set_thread_name(const char *name) { return prctl(PR_SET_NAME, name, 0, 0, 0); }
static inline int clairo_set_no_new_privileges(void) { return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); }

// pthread_create(3) with its attributes, whose type Swift attributes to a module of libdispatch: a detached thread
static inline int clairo_start_thread(size_t stack_size, void *(*body)(void *), void *argument) {
    pthread_t thread;
    pthread_attr_t attributes;
    int code = pthread_attr_init(&attributes);
    if (code != 0) return code;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, stack_size);
    code = pthread_create(&thread, &attributes, body, argument);
    pthread_attr_destroy(&attributes);
    return code;
}

// posix_spawn_file_actions_addclosefrom_np(3), glibc 2.34
extern int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *actions, int from);

// posix_spawn_file_actions_addchdir_np(3), glibc 2.29
extern int posix_spawn_file_actions_addchdir_np(posix_spawn_file_actions_t *actions, const char *path);

// environ(7), a variable that Swift considers unsafe: Clairo changes it nowhere
static inline char **clairo_environment(void) {
    extern char **environ;
    return environ;
}

// pipe2(2)
extern int pipe2(int ends[2], int flags);

// prlimit(2): the soft and the hard limit of a running process
static inline int clairo_limit(pid_t process, int resource, unsigned long long soft, unsigned long long hard) {
    unsigned long long limit[2] = {soft, hard};
    return (int)syscall(SYS_prlimit64, process, resource, limit, (void *)0);
}
static const int clairo_limit_processes = RLIMIT_NPROC;

// capset(2), for which glibc has no function: drops all capabilities of this thread
static inline int clairo_drop_capabilities(void) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0, 0, 0}, {0, 0, 0}};
    return (int)syscall(SYS_capset, &header, none);
}

// capget(2): whether this thread has one capability in effect
static inline int clairo_has_capability(unsigned number) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {{0, 0, 0}, {0, 0, 0}};
    if (syscall(SYS_capget, &header, sets) != 0) return 0;
    return (sets[number / 32].effective >> (number % 32)) & 1;
}
static const unsigned clairo_capability_kill = CAP_KILL;

// capget(2): whether this thread has no capabilities, neither effective nor obtainable; errno is preserved
static inline int clairo_has_no_capability(void) {
    int code = errno;
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {{0, 0, 0}, {0, 0, 0}};
    int has_none = syscall(SYS_capget, &header, sets) == 0;
    for (int index = 0; index < _LINUX_CAPABILITY_U32S_3; index++) {
        if (sets[index].effective | sets[index].permitted | sets[index].inheritable) has_none = 0;
    }
    errno = code;
    return has_none;
}

// unshare(2), setresuid(2), setresgid(2), setgroups(2)
extern int unshare(int flags);
extern int setresuid(uid_t real, uid_t effective, uid_t saved);
extern int setresgid(gid_t real, gid_t effective, gid_t saved);
extern int setgroups(size_t count, const gid_t *groups);

// landlock(7), for which glibc has no functions. Headers of older kernels lack the later rights, so this defines its own.
struct clairo_landlock_ruleset {
    uint64_t handled_access_fs;
    uint64_t handled_access_net;
    uint64_t scoped;
};
static inline int clairo_landlock_version(void) {
    return (int)syscall(444 /* landlock_create_ruleset */, (void *)0, (size_t)0, 1u /* ..._VERSION */);
}
static inline int clairo_landlock_create(const struct clairo_landlock_ruleset *ruleset) {
    return (int)syscall(444, ruleset, sizeof *ruleset, 0u);
}
static inline int clairo_landlock_restrict(int ruleset) {
    return (int)syscall(446 /* landlock_restrict_self */, ruleset, 0u);
}
