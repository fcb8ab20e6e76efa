// The parts of libav that Swift cannot import (error macros, special values, variadic functions), and all differences between
// the supported versions of FFmpeg: 5.1 (Debian 12), 6.1, 7.1 (Debian 13) and later. Conditions use the libraries' version
// numbers from FFmpeg's doc/APIchanges. Only constants and static inline functions; no state.
#ifndef CLAIRO_CFFMPEG_SHIM_H
#define CLAIRO_CFFMPEG_SHIM_H

#include <libavcodec/avcodec.h>
#include <libavfilter/avfilter.h>
#include <libavfilter/buffersink.h>
#include <libavfilter/buffersrc.h>
#include <libavformat/avformat.h>
#include <libavutil/avutil.h>
#include <libavutil/channel_layout.h>
#include <libavutil/cpu.h>
#include <libavutil/display.h>
#include <libavutil/dovi_meta.h>
#include <libavutil/error.h>
#include <libavutil/imgutils.h>
#include <libavutil/log.h>
#include <libavutil/mastering_display_metadata.h>
#include <libavutil/mathematics.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
#include <libavutil/samplefmt.h>
#include <errno.h>
#include <malloc.h>
#include <string.h>

static const int clairo_averror_eof = AVERROR_EOF;
static const int clairo_averror_eagain = AVERROR(EAGAIN);
static const int clairo_averror_enomem = AVERROR(ENOMEM);
static const int clairo_averror_einval = AVERROR(EINVAL);
static const int clairo_averror_eio = AVERROR(EIO);
static const int clairo_averror_exit = AVERROR_EXIT;
static const int clairo_averror_invaliddata = AVERROR_INVALIDDATA;
static const int clairo_averror_external = AVERROR_EXTERNAL;
static const int clairo_averror_decoder_not_found = AVERROR_DECODER_NOT_FOUND;
static const int64_t clairo_nopts = AV_NOPTS_VALUE;

static inline AVDictionaryEntry *clairo_dict_get(AVDictionary *d, const char *key) {
    return av_dict_get(d, key, NULL, 0);
}

// The first key left in a dictionary of options, which libav did not recognise; NULL if none is left.
static inline const char *clairo_dict_first_key(AVDictionary *d) {
    AVDictionaryEntry *entry = av_dict_get(d, "", NULL, AV_DICT_IGNORE_SUFFIX);
    return entry ? entry->key : NULL;
}

// Side data of a whole stream, or NULL. FFmpeg 6.1 moved it to the codec parameters; 8 removed av_stream_get_side_data.
static inline const uint8_t *clairo_stream_side_data(
    const AVStream *stream, enum AVPacketSideDataType type, size_t *size) {
    *size = 0;
#if LIBAVCODEC_VERSION_INT >= AV_VERSION_INT(60, 30, 100)
    const AVPacketSideData *found = av_packet_side_data_get(
        stream->codecpar->coded_side_data, stream->codecpar->nb_coded_side_data, type);
    if (!found) return NULL;
    *size = found->size;
    return found->data;
#else
    return av_stream_get_side_data(stream, type, size);
#endif
}

static inline const int32_t *clairo_stream_display_matrix(const AVStream *stream) {
    size_t size;
    const uint8_t *data = clairo_stream_side_data(stream, AV_PKT_DATA_DISPLAYMATRIX, &size);
    return size >= 9 * sizeof(int32_t) ? (const int32_t *)data : NULL;
}

static inline int clairo_stream_has_side_data(const AVStream *stream, enum AVPacketSideDataType type) {
    size_t size;
    return clairo_stream_side_data(stream, type, &size) != NULL;
}

// The Dolby Vision profile and the compatibility of the base layer with other formats; 0 if the stream declares none.
static inline int clairo_stream_dolby_vision(const AVStream *stream, int *profile, int *compatibility) {
    size_t size;
    const AVDOVIDecoderConfigurationRecord *record =
        (const AVDOVIDecoderConfigurationRecord *)clairo_stream_side_data(stream, AV_PKT_DATA_DOVI_CONF, &size);
    if (!record || size < sizeof *record) return 0;
    *profile = record->dv_profile;
    *compatibility = record->dv_bl_signal_compatibility_id;
    return 1;
}

// Static metadata of HDR10 in the units of the boxes mdcv and clli: chromaticities of red, green, blue and white in 0.00002,
// luminances in 0.0001 cd/m2, content light levels in cd/m2.
struct clairo_hdr_metadata {
    int has_display, has_light;
    int64_t red_x, red_y, green_x, green_y, blue_x, blue_y, white_x, white_y, max_luminance, min_luminance;
    int64_t max_content, max_average;
};

static inline int64_t clairo_in_units(AVRational value, int64_t per_one) {
    return value.den > 0 && value.num >= 0 ? (value.num * per_one + value.den / 2) / value.den : 0;
}

static inline void clairo_hdr_metadata_from(
    const uint8_t *display_data, size_t display_size, const uint8_t *light_data, size_t light_size,
    struct clairo_hdr_metadata *result) {
    memset(result, 0, sizeof *result);
    const AVMasteringDisplayMetadata *display = (const AVMasteringDisplayMetadata *)display_data;
    if (display && display_size >= sizeof *display && display->has_primaries && display->has_luminance) {
        result->has_display = 1;
        result->red_x = clairo_in_units(display->display_primaries[0][0], 50000);
        result->red_y = clairo_in_units(display->display_primaries[0][1], 50000);
        result->green_x = clairo_in_units(display->display_primaries[1][0], 50000);
        result->green_y = clairo_in_units(display->display_primaries[1][1], 50000);
        result->blue_x = clairo_in_units(display->display_primaries[2][0], 50000);
        result->blue_y = clairo_in_units(display->display_primaries[2][1], 50000);
        result->white_x = clairo_in_units(display->white_point[0], 50000);
        result->white_y = clairo_in_units(display->white_point[1], 50000);
        result->max_luminance = clairo_in_units(display->max_luminance, 10000);
        result->min_luminance = clairo_in_units(display->min_luminance, 10000);
    }
    const AVContentLightMetadata *light = (const AVContentLightMetadata *)light_data;
    if (light && light_size >= sizeof *light) {
        result->has_light = 1;
        result->max_content = light->MaxCLL;
        result->max_average = light->MaxFALL;
    }
}

static inline void clairo_stream_hdr_metadata(const AVStream *stream, struct clairo_hdr_metadata *result) {
    size_t display_size, light_size;
    const uint8_t *display = clairo_stream_side_data(stream, AV_PKT_DATA_MASTERING_DISPLAY_METADATA, &display_size);
    const uint8_t *light = clairo_stream_side_data(stream, AV_PKT_DATA_CONTENT_LIGHT_LEVEL, &light_size);
    clairo_hdr_metadata_from(display, display_size, light, light_size, result);
}

static inline void clairo_frame_hdr_metadata(const AVFrame *frame, struct clairo_hdr_metadata *result) {
    const AVFrameSideData *display = av_frame_get_side_data(frame, AV_FRAME_DATA_MASTERING_DISPLAY_METADATA);
    const AVFrameSideData *light = av_frame_get_side_data(frame, AV_FRAME_DATA_CONTENT_LIGHT_LEVEL);
    clairo_hdr_metadata_from(
        display ? display->data : NULL, display ? display->size : 0, light ? light->data : NULL,
        light ? light->size : 0, result);
}

// The id of the programme at `position` among those that contain a stream, or -1 at the end.
static inline int clairo_stream_program(const AVFormatContext *context, int stream, int position) {
    for (unsigned i = 0; i < context->nb_programs; i++) {
        const AVProgram *program = context->programs[i];
        for (unsigned n = 0; n < program->nb_stream_indexes; n++)
            if (program->stream_index[n] == (unsigned)stream) {
                if (position-- == 0) return program->id;
                break;
            }
    }
    return -1;
}

// Separate fields in 5.1, bits of AVFrame.flags from 6.1 on; 8 removed the fields.
#if LIBAVUTIL_VERSION_INT >= AV_VERSION_INT(58, 7, 100)
static inline int clairo_frame_is_interlaced(const AVFrame *frame) {
    return (frame->flags & AV_FRAME_FLAG_INTERLACED) != 0;
}
static inline int clairo_frame_is_key(const AVFrame *frame) { return (frame->flags & AV_FRAME_FLAG_KEY) != 0; }
#else
static inline int clairo_frame_is_interlaced(const AVFrame *frame) { return frame->interlaced_frame; }
static inline int clairo_frame_is_key(const AVFrame *frame) { return frame->key_frame; }
#endif

// FFmpeg 6.0 renamed the field; 7 removed the old name.
static inline int64_t clairo_frame_duration(const AVFrame *frame) {
#if LIBAVUTIL_VERSION_INT >= AV_VERSION_INT(57, 30, 100)
    return frame->duration;
#else
    return frame->pkt_duration;
#endif
}

static inline int clairo_frame_is_damaged(const AVFrame *frame) {
    return frame->decode_error_flags != 0 || (frame->flags & AV_FRAME_FLAG_CORRUPT) != 0;
}

// Lets the encoder choose a frame's type: clears the picture type and the flags for key frames and interlacing. From 6.1 to
// 7.1 the old fields must be cleared too, because libavcodec sets the flags from them.
static inline void clairo_frame_reset_picture_type(AVFrame *frame) {
    frame->pict_type = AV_PICTURE_TYPE_NONE;
    frame->flags = 0;
#if LIBAVUTIL_VERSION_MAJOR < 60
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    frame->key_frame = 0;
    frame->interlaced_frame = 0;
    frame->top_field_first = 0;
#pragma GCC diagnostic pop
#endif
}

// Adds a video source named "in" for frames like `frame` to a graph. From 7.0 on the source compares the colour space and
// range of each frame with its own, and the following filters negotiate with them.
static inline int clairo_graph_add_video_source(
    AVFilterGraph *graph, const AVFrame *frame, AVRational aspect, AVRational time_base, AVFilterContext **source) {
    AVFilterContext *context = avfilter_graph_alloc_filter(graph, avfilter_get_by_name("buffer"), "in");
    AVBufferSrcParameters *parameters = av_buffersrc_parameters_alloc();
    int result = AVERROR(ENOMEM);
    if (context && parameters) {
        parameters->format = frame->format;
        parameters->width = frame->width;
        parameters->height = frame->height;
        parameters->sample_aspect_ratio = aspect;
        parameters->time_base = time_base;
#if LIBAVFILTER_VERSION_INT >= AV_VERSION_INT(9, 16, 100)
        parameters->color_space = frame->colorspace;
        parameters->color_range = frame->color_range;
#endif
#if LIBAVFILTER_VERSION_INT >= AV_VERSION_INT(11, 8, 100)
        parameters->alpha_mode = frame->alpha_mode;
#endif
        result = av_buffersrc_parameters_set(context, parameters);
        if (result >= 0) result = avfilter_init_str(context, NULL);
    }
    av_free(parameters);
    *source = context;
    return result;
}

static inline int clairo_frame_plane(const AVFrame *frame, int index, uint8_t **data, int *stride) {
    if (index < 0 || index >= AV_NUM_DATA_POINTERS) return 0;
    *data = frame->data[index];
    *stride = frame->linesize[index];
    return frame->data[index] != NULL;
}

// The position of a channel as a value of AVChannel; negative if the layout tells only the number of channels.
static inline int clairo_frame_channel(const AVFrame *frame, unsigned index) {
    if (frame->ch_layout.order == AV_CHANNEL_ORDER_UNSPEC) return -1;
    return (int)av_channel_layout_channel_from_index(&frame->ch_layout, index);
}

// The positions of a layout in libav's native order, one bit each; 0 for other layouts.
static inline uint64_t clairo_layout_mask(const AVChannelLayout *layout) {
    return layout->order == AV_CHANNEL_ORDER_NATIVE ? layout->u.mask : 0;
}

// Copies channels of `source` to `target`, which has a buffer for the same number of samples of the same format. `channels`
// has as many values as the target has channels, and each is a channel of the source.
static inline void clairo_frame_copy_channels(AVFrame *target, const AVFrame *source, const int32_t *channels) {
    enum AVSampleFormat format = (enum AVSampleFormat)source->format;
    size_t size = (size_t)av_get_bytes_per_sample(format), samples = (size_t)source->nb_samples;
    size_t from = (size_t)source->ch_layout.nb_channels, to = (size_t)target->ch_layout.nb_channels;
    for (size_t i = 0; i < to; i++) {
        size_t channel = (size_t)channels[i];
        if (av_sample_fmt_is_planar(format)) {
            memcpy(target->extended_data[i], source->extended_data[channel], samples * size);
        } else {
            for (size_t n = 0; n < samples; n++)
                memcpy(target->extended_data[0] + (n * to + i) * size,
                    source->extended_data[0] + (n * from + channel) * size, size);
        }
    }
}

// Which codecs the FLV demuxer reads that enhanced RTMP names by a FourCC: 0 is none, 1 HEVC, AV1 and VP9 (FFmpeg 6.1), 2 all
// (FFmpeg 8).
static inline int clairo_enhanced_flv(void) {
#if LIBAVFORMAT_VERSION_MAJOR >= 62
    return 2;
#elif LIBAVFORMAT_VERSION_INT >= AV_VERSION_INT(60, 16, 100)
    return 1;
#else
    return 0;
#endif
}

static inline AVStream *clairo_stream(const AVFormatContext *context, int index) {
    return context->streams[index];
}

#endif
