// seccomp.h, and a wrapper for the macro that Swift cannot import.
#include <errno.h>
#include <seccomp.h>

static const uint32_t CLAIRO_SECCOMP_EPERM = SCMP_ACT_ERRNO(EPERM);
static const uint32_t CLAIRO_SECCOMP_ENOSYS = SCMP_ACT_ERRNO(ENOSYS);
