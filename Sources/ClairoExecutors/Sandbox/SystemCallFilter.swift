internal import CLinux
internal import CSeccomp
internal import Glibc

/// The seccomp(2) filter of a task's process.
///
/// The allowed calls come from traces of every kind of task on real, unusual and broken media (libav, x264, glibc and
/// Swift's libraries, inside the other sandbox layers). A margin of further calls is marked as such. Any other call
/// fails with EPERM, which libraries treat as an unsupported feature. Calls that only an attacker would make kill the
/// process, and so do calls of another architecture (32-bit, x32).
enum SystemCallFilter {
    /// Calls that are allowed with any arguments.
    private static let allowed = [
        // I/O on open descriptors. None of these opens one.
        "read", "write", "readv", "writev", "recvfrom", "sendto", "close", "lseek", "shutdown",
        // Memory, limited by RLIMIT_DATA. mmap and mprotect are below.
        "brk", "munmap", "mremap", "madvise",
        // Threads.
        "futex", "set_robust_list", "rseq", "gettid", "exit", "exit_group", "rt_sigprocmask", "rt_sigaction",
        "rt_sigreturn", "sigaltstack", "rt_sigsuspend",
        // Resource usage.
        "getrusage", "getppid", "getpid",
        // The margin: harmless calls that another library version, another processor (clocks without a vDSO) or a rare
        // path (timed lock waits, CPU affinity queries) may make.
        "restart_syscall", "set_tid_address", "get_robust_list", "sched_yield", "sched_getaffinity", "sched_getparam",
        "sched_getscheduler", "sched_get_priority_max", "sched_get_priority_min", "getpriority", "getcpu", "membarrier",
        "rt_sigpending", "rt_sigtimedwait", "clock_gettime", "clock_getres", "clock_nanosleep", "nanosleep",
        "gettimeofday", "time", "times", "getrandom", "uname", "sysinfo", "getrlimit", "getuid", "geteuid", "getgid",
        "getegid", "poll", "ppoll", "select", "pselect6", "pause", "fstat", "mincore", "futex_waitv",
    ]

    /// Calls that create or inspect processes, open connections, or reach kernel subsystems that are unrelated to media
    /// and have a history of vulnerabilities.
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
        guard let context = seccomp_init(CLAIRO_SECCOMP_EPERM) else { throw Sandbox.Refusal("out of memory") }
        defer { seccomp_release(context) }
        let filter = Filter(context: context)
        // Kills the process, not only the calling thread.
        try filter.set(SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS)
        // The filter applies to all threads, and finds calls by binary search.
        try filter.set(SCMP_FLTATR_CTL_TSYNC, 1)
        try filter.set(SCMP_FLTATR_CTL_OPTIMIZE, 2)
        for call in allowed { try filter.add(call, SCMP_ACT_ALLOW) }
        for call in deadly { try filter.add(call, SCMP_ACT_KILL_PROCESS) }
        try addConditional(to: filter)
        let code = seccomp_load(context)
        guard code == 0 else { throw Sandbox.Refusal(errno: -code) }
    }

    private static func addConditional(to filter: Filter) throws(Sandbox.Refusal) {
        // Allows only private memory that is never executable, which RLIMIT_DATA counts. It does not count shared
        // memory and growing stacks (mm_types.h: data_vm).
        let uncounted = UInt64(MAP_SHARED | MAP_GROWSDOWN | MAP_HUGETLB)
        try filter.add("mmap", SCMP_ACT_ALLOW, .bits(2, UInt64(PROT_EXEC), are: 0), .bits(3, uncounted, are: 0))
        try filter.add("mprotect", SCMP_ACT_ALLOW, .bits(2, UInt64(PROT_EXEC), are: 0))

        // Allows threads but no processes. A filter cannot see the flags of clone3. If clone3 fails with ENOSYS, glibc
        // falls back to clone.
        let thread = UInt64(CLONE_THREAD)
        try filter.add("clone3", CLAIRO_SECCOMP_ENOSYS)
        try filter.add("clone", SCMP_ACT_ALLOW, .bits(0, thread, are: thread))
        try filter.add("clone", SCMP_ACT_KILL_PROCESS, .bits(0, thread, are: 0))

        // Allows signals to the process itself, as abort(3) sends them.
        let own = UInt64(getpid())
        for call in ["kill", "tgkill"] {
            try filter.add(call, SCMP_ACT_ALLOW, .argument(0, is: own))
            try filter.add(call, SCMP_ACT_KILL_PROCESS, .argument(0, isNot: own))
        }

        // Allows only thread names. Other options of prctl could weaken the sandbox.
        for option in [PR_SET_NAME, PR_GET_NAME] {
            try filter.add("prctl", SCMP_ACT_ALLOW, .argument(0, is: UInt64(option)))
        }
        // Allows a thread to change only its own priority (PRIO_PROCESS and the calling thread are both 0).
        try filter.add("setpriority", SCMP_ACT_ALLOW, .argument(0, is: 0), .argument(1, is: 0))
        // Allows reading the process's own limits.
        try filter.add("prlimit64", SCMP_ACT_ALLOW, .argument(0, is: 0), .argument(2, is: 0))
    }
}

/// A libseccomp filter under construction.
private struct Filter {
    let context: scmp_filter_ctx

    func set(_ attribute: scmp_filter_attr, _ value: UInt32) throws(Sandbox.Refusal) {
        let code = seccomp_attr_set(context, attribute, value)
        guard code == 0 else { throw Sandbox.Refusal(errno: -code) }
    }

    /// - Parameter conditions: The rule matches if all of them hold.
    func add(_ call: String, _ action: UInt32, _ conditions: scmp_arg_cmp...) throws(Sandbox.Refusal) {
        let number = seccomp_syscall_resolve_name(call)
        // If libseccomp does not know the call, the default action applies.
        guard number != __NR_SCMP_ERROR else { return }
        // libseccomp itself skips calls of other architectures.
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
