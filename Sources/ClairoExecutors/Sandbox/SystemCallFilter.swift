internal import CLinux
internal import CSeccomp
internal import Glibc

/// seccomp(2): the system calls that are left to a task's process.
///
/// The list comes from traces of every kind of task over real, odd and broken media (libav, x264, glibc and Swift's
/// libraries, after the walls are built), and a margin, which is marked. Whatever is not on it fails with EPERM, which
/// libraries take for a thing that this system does not offer; what only a burglar would try ends the process.
/// Calls of a foreign kind (32-bit, x32) end it too.
enum SystemCallFilter {
    /// Calls that are allowed whatever they are given.
    private static let allowed = [
        // Talk over descriptors that are there. Nothing opens another one.
        "read", "write", "readv", "writev", "recvfrom", "sendto", "close", "lseek", "shutdown",
        // Memory, the limit of which is RLIMIT_DATA; mmap and mprotect are below.
        "brk", "munmap", "mremap", "madvise",
        // Threads.
        "futex", "set_robust_list", "rseq", "gettid", "exit", "exit_group", "rt_sigprocmask", "rt_sigaction",
        "rt_sigreturn", "sigaltstack", "rt_sigsuspend",
        // Measuring.
        "getrusage", "getppid", "getpid",
        // The margin: harmless calls that another version of these libraries, another processor (clocks without a vDSO)
        // or a rare path (a lock that waits with a time limit, a thread that asks for its cores) may make.
        "restart_syscall", "set_tid_address", "get_robust_list", "sched_yield", "sched_getaffinity", "sched_getparam",
        "sched_getscheduler", "sched_get_priority_max", "sched_get_priority_min", "getpriority", "getcpu", "membarrier",
        "rt_sigpending", "rt_sigtimedwait", "clock_gettime", "clock_getres", "clock_nanosleep", "nanosleep",
        "gettimeofday", "time", "times", "getrandom", "uname", "sysinfo", "getrlimit", "getuid", "geteuid", "getgid",
        "getegid", "poll", "ppoll", "select", "pselect6", "pause", "fstat", "mincore", "futex_waitv",
    ]

    /// Calls with which a process leaves its place, looks into others, or reaches a part of the kernel that has nothing to do
    /// with media and has had holes.
    private static let deadly = [
        "execve", "execveat", "fork", "vfork", "socket", "socketpair", "connect", "bind", "listen", "accept", "accept4",
        "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "kcmp", "pidfd_open", "pidfd_getfd",
        "pidfd_send_signal", "tkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "unshare", "setns", "mount", "umount2",
        "pivot_root", "chroot", "open_tree", "move_mount", "fsopen", "fsconfig", "fsmount", "fspick", "mount_setattr",
        "open_by_handle_at", "name_to_handle_at", "bpf", "perf_event_open", "userfaultfd", "io_uring_setup",
        "io_uring_enter", "io_uring_register", "io_setup", "io_submit", "keyctl", "add_key", "request_key",
        "init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load", "reboot", "swapon", "swapoff",
        "setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid", "setgroups", "capset", "setfsuid",
        "setfsgid", "personality", "modify_ldt", "seccomp", "memfd_create", "memfd_secret",
    ]

    static func install() throws(Sandbox.Refusal) {
        guard let context = seccomp_init(CLAIRO_SECCOMP_EPERM) else { throw Sandbox.Refusal("no memory") }
        defer { seccomp_release(context) }
        let filter = Filter(context: context)
        // The process, not only the thread that made the call.
        try filter.set(SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS)
        // All threads, and a search by halves instead of one after the other.
        try filter.set(SCMP_FLTATR_CTL_TSYNC, 1)
        try filter.set(SCMP_FLTATR_CTL_OPTIMIZE, 2)
        for call in allowed { try filter.add(call, SCMP_ACT_ALLOW) }
        for call in deadly { try filter.add(call, SCMP_ACT_KILL_PROCESS) }
        try addConditional(to: filter)
        let code = seccomp_load(context)
        guard code == 0 else { throw Sandbox.Refusal(errno: -code) }
    }

    private static func addConditional(to filter: Filter) throws(Sandbox.Refusal) {
        // Memory that nobody else shares, that RLIMIT_DATA counts and that is never run as code. Shared memory and stacks that
        // grow are not counted (mm_types.h: data_vm).
        let uncounted = UInt64(MAP_SHARED | MAP_GROWSDOWN | MAP_HUGETLB)
        try filter.add("mmap", SCMP_ACT_ALLOW, .bits(2, UInt64(PROT_EXEC), are: 0), .bits(3, uncounted, are: 0))
        try filter.add("mprotect", SCMP_ACT_ALLOW, .bits(2, UInt64(PROT_EXEC), are: 0))

        // Threads, no processes. The flags of clone3 cannot be seen by a filter; without it glibc takes clone.
        let thread = UInt64(CLONE_THREAD)
        try filter.add("clone3", CLAIRO_SECCOMP_ENOSYS)
        try filter.add("clone", SCMP_ACT_ALLOW, .bits(0, thread, are: thread))
        try filter.add("clone", SCMP_ACT_KILL_PROCESS, .bits(0, thread, are: 0))

        // Signals to itself, such as abort(3) sends.
        let own = UInt64(getpid())
        for call in ["kill", "tgkill"] {
            try filter.add(call, SCMP_ACT_ALLOW, .argument(0, is: own))
            try filter.add(call, SCMP_ACT_KILL_PROCESS, .argument(0, isNot: own))
        }

        // Names of threads; what else prctl does would open the walls.
        for option in [PR_SET_NAME, PR_GET_NAME] {
            try filter.add("prctl", SCMP_ACT_ALLOW, .argument(0, is: UInt64(option)))
        }
        // Threads that stand back, of this process only (PRIO_PROCESS is 0, and so is the caller).
        try filter.add("setpriority", SCMP_ACT_ALLOW, .argument(0, is: 0), .argument(1, is: 0))
        // Looking at its own limits.
        try filter.add("prlimit64", SCMP_ACT_ALLOW, .argument(0, is: 0), .argument(2, is: 0))
    }
}

/// A filter that is being made (libseccomp).
private struct Filter {
    let context: scmp_filter_ctx

    func set(_ attribute: scmp_filter_attr, _ value: UInt32) throws(Sandbox.Refusal) {
        let code = seccomp_attr_set(context, attribute, value)
        guard code == 0 else { throw Sandbox.Refusal(errno: -code) }
    }

    /// - Parameter conditions: all of them; a call that fails one is not meant.
    func add(_ call: String, _ action: UInt32, _ conditions: scmp_arg_cmp...) throws(Sandbox.Refusal) {
        let number = seccomp_syscall_resolve_name(call)
        // Newer than the library: it gets the answer of all calls that are not on the list.
        guard number != __NR_SCMP_ERROR else { return }
        // One of other processors only is left out by the library itself.
        let code = seccomp_rule_add_array(context, action, number, UInt32(conditions.count), conditions)
        guard code == 0 else { throw Sandbox.Refusal("\(call): \(String(cString: strerror(-code)))") }
    }
}

extension scmp_arg_cmp {
    fileprivate static func argument(_ index: UInt32, is value: UInt64) -> Self {
        Self(arg: index, op: SCMP_CMP_EQ, datum_a: value, datum_b: 0)
    }

    fileprivate static func argument(_ index: UInt32, isNot value: UInt64) -> Self {
        Self(arg: index, op: SCMP_CMP_NE, datum_a: value, datum_b: 0)
    }

    fileprivate static func bits(_ index: UInt32, _ mask: UInt64, are value: UInt64) -> Self {
        Self(arg: index, op: SCMP_CMP_MASKED_EQ, datum_a: mask, datum_b: value)
    }
}
