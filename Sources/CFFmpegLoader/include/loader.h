// Loads FFmpeg's libraries when they are first used, not when the program starts: with everything that they depend on they are
// 190 libraries, which take 80 ms to load, and most commands use none of them. This target defines the functions of libav that
// clairo calls. Each finds its original on its first call.
#ifndef CLAIRO_CFFMPEG_LOADER_H
#define CLAIRO_CFFMPEG_LOADER_H

// Loads the libraries if they are not loaded. Returns NULL, or the reason why they cannot be loaded; it is valid for ever.
// A function of libav that is called without them ends the process with this reason and the status EX_UNAVAILABLE of sysexits(3).
const char *clairo_load_libav(void);

// X264_BUILD of the libx264 that libavcodec uses, or 0. The name of x264_encoder_open contains the number.
int clairo_x264_build(void);

#endif
