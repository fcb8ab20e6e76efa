// Loads FFmpeg's libraries when they are first used, not when the program starts: they bring some 140 others, take 70 to 100 ms
// and 35 MB, and most commands use none of them. This target defines the functions of libav that clairo calls. Each finds its
// original on its first call.
#ifndef CLAIRO_CFFMPEG_LOADER_H
#define CLAIRO_CFFMPEG_LOADER_H

#include <stddef.h>

// Loads the libraries if they are not loaded. Returns 1, or 0 and the reason as text of up to `size` bytes. A function of libav
// that is called when they cannot be loaded ends the process with the reason and the status EX_UNAVAILABLE of sysexits(3).
int clairo_load_libav(char *reason, size_t size);

// FFmpeg's version, such as "5.1.9-0+deb12u1", or NULL if there is no libavutil. Loads only that library, which is small.
const char *clairo_libav_version(void);

// X264_BUILD of the libx264 that libavcodec uses, or 0. The name of x264_encoder_open contains the number.
int clairo_x264_build(void);

// Sets the stack size of threads that are started without one of their own. Returns the size before, or 0 if it cannot be set.
size_t clairo_set_default_stack_size(size_t bytes);

#endif
