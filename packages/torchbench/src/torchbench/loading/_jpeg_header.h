/* Markers of a plain JPEG (ITU-T T.81): 8-bit samples, grey or YCbCr, Huffman codes, one sequential scan or the
 * scans of a progression, whole and in good order. Whatever else a file is or claims is left to others. */
#ifndef TORCHBENCH_JPEG_HEADER_H
#define TORCHBENCH_JPEG_HEADER_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define MOST_STEP 1023 /* larger ones would leave 32 bits when a block's magnitudes are added up */
#define LONGEST_SIDE 65500 /* libjpeg refuses longer ones */

typedef struct {
    uint8_t counts[17]; /* codes of each length */
    uint8_t symbols[256];
    int defined;
} CodeBook;

typedef struct {
    int id, across, down; /* blocks in a minimum coded unit */
    int quantisation, dc, ac;
} Component;

/* What one scan holds: coefficients `first` to `last` of some components, their bits from `low` on; all bits above
 * are in earlier scans where `high` is not zero. */
typedef struct {
    int components, component[3];
    int first, last, high, low;
} Selection;

typedef struct {
    int width, height, components, progressive;
    Component component[3];
    Selection selection; /* of the scan whose header was read last */
    uint16_t quantisation[4][64]; /* in zigzag order */
    int quantisation_defined[4];
    CodeBook dc[4], ac[4];
    int restart_interval;
    int frame_seen, jfif, jfif_density, adobe; /* adobe: -1 without, else its colour transform */
    int metadata; /* segments that Pillow reads, and may refuse */
    const uint8_t *scan, *end; /* of that scan, and of the file */
} Jpeg;

static int word_at(const uint8_t *bytes) { return bytes[0] << 8 | bytes[1]; }

static int begins_with(const uint8_t *body, int length, const char *name, int name_length) {
    return length >= name_length && memcmp(body, name, name_length) == 0;
}

static int read_application(Jpeg *jpeg, int marker, const uint8_t *body, int length) {
    if (marker == 0xE0 && begins_with(body, length, "JFIF", 4)) {
        if (length < 14 || body[4] != 0) return 0;
        jpeg->jfif = 1;
        jpeg->jfif_density = body[7] == 1 || body[7] == 2;
    } else if (marker == 0xEE && begins_with(body, length, "Adobe", 5)) {
        if (length < 12) return 0;
        jpeg->adobe = body[11];
    } else if (marker == 0xE1 && begins_with(body, length, "Exif", 4)) {
        if (!jpeg->jfif_density) jpeg->metadata = 1; /* Pillow looks there for the density */
    } else if (marker == 0xE2 || marker == 0xED) { /* several pictures in one file, profiles, Photoshop's blocks */
        jpeg->metadata = 1;
    }
    return 1;
}

static int read_quantisation(Jpeg *jpeg, const uint8_t *body, int length) {
    while (length > 0) {
        int wide = body[0] >> 4, table = body[0] & 15, size = 1 + 64 * (wide + 1);
        if (wide > 1 || table > 3 || length < size) return 0;
        for (int k = 0; k < 64; k++) {
            jpeg->quantisation[table][k] = (uint16_t)(wide ? word_at(body + 1 + 2 * k) : body[1 + k]);
            if (jpeg->quantisation[table][k] > MOST_STEP) return 0;
        }
        jpeg->quantisation_defined[table] = 1;
        body += size;
        length -= size;
    }
    return 1;
}

/* Codes that fit into their lengths, as a canonical Huffman code's do, and leave the one of all ones unused. */
static int valid_counts(const uint8_t *counts) {
    int free_codes = 1;
    for (int length = 1; length <= 16; length++) {
        free_codes = 2 * free_codes - counts[length];
        if (free_codes < 1) return 0;
    }
    return 1;
}

static int read_codes(Jpeg *jpeg, const uint8_t *body, int length) {
    while (length > 0) {
        if (length < 17 || body[0] >> 4 > 1 || (body[0] & 15) > 3) return 0;
        CodeBook *book = body[0] >> 4 ? &jpeg->ac[body[0] & 15] : &jpeg->dc[body[0] & 15];
        int size = 0;
        book->counts[0] = 0;
        for (int j = 1; j <= 16; j++) {
            book->counts[j] = body[j];
            size += body[j];
        }
        if (size > 256 || length < 17 + size || !valid_counts(book->counts)) return 0;
        for (int j = 0; j < size; j++) {
            book->symbols[j] = body[17 + j];
            if ((body[17 + j] & 15) > (body[0] >> 4 ? 10 : 11) || (!(body[0] >> 4) && body[17 + j] > 11)) return 0;
        }
        book->defined = 1;
        body += 17 + size;
        length -= 17 + size;
    }
    return 1;
}

static int read_frame(Jpeg *jpeg, int progressive, const uint8_t *body, int length) {
    jpeg->progressive = progressive;
    if (jpeg->frame_seen || length < 6 || body[0] != 8) return 0;
    jpeg->frame_seen = 1;
    jpeg->height = word_at(body + 1);
    jpeg->width = word_at(body + 3);
    jpeg->components = body[5];
    if (jpeg->height < 1 || jpeg->height > LONGEST_SIDE || jpeg->width < 1 || jpeg->width > LONGEST_SIDE) return 0;
    if (jpeg->components != 1 && jpeg->components != 3) return 0;
    if (length != 6 + 3 * jpeg->components) return 0;
    for (int c = 0; c < jpeg->components; c++) {
        Component *component = &jpeg->component[c];
        component->id = body[6 + 3 * c];
        component->across = body[7 + 3 * c] >> 4;
        component->down = body[7 + 3 * c] & 15;
        component->quantisation = body[8 + 3 * c];
        if (component->quantisation > 3 || component->across < 1 || component->across > 4 || component->down < 1
            || component->down > 4) {
            return 0;
        }
    }
    if (jpeg->components == 1) jpeg->component[0].across = jpeg->component[0].down = 1; /* alone, it is not sampled */
    return 1;
}

/* Grey, or YCbCr with chroma at full size, halved across, or halved both ways. */
static int plain_sampling(const Jpeg *jpeg) {
    const Component *c = jpeg->component;
    if (jpeg->components == 1) return 1;
    if (c[1].across != 1 || c[1].down != 1 || c[2].across != 1 || c[2].down != 1) return 0;
    if (c[0].across == 1) return c[0].down == 1;
    return c[0].across == 2 && (c[0].down == 1 || c[0].down == 2) && jpeg->width > 8;
}

/* The rule by which libjpeg takes three components for YCbCr, where all signs agree. */
static int plain_colours(const Jpeg *jpeg) {
    const Component *c = jpeg->component;
    if (c[0].id == c[1].id || c[0].id == c[2].id || c[1].id == c[2].id) return jpeg->components == 1;
    if (jpeg->adobe >= 0) return jpeg->adobe == 1 || jpeg->components == 1;
    return jpeg->components == 1 || jpeg->jfif || (c[0].id == 1 && c[1].id == 2 && c[2].id == 3);
}

/* Whether the tables are there that the selection's codes need. */
static int tables_defined(const Jpeg *jpeg, const Component *component) {
    const Selection *selection = &jpeg->selection;
    int needs_dc = selection->first == 0 && selection->high == 0, needs_ac = selection->last > 0;
    if (component->dc > 3 || component->ac > 3 || !jpeg->quantisation_defined[component->quantisation]) return 0;
    return (!needs_dc || jpeg->dc[component->dc].defined) && (!needs_ac || jpeg->ac[component->ac].defined);
}

/* A sequential scan has everything; of a progression, one has first coefficients or the others of one component. */
static int valid_selection(const Jpeg *jpeg) {
    const Selection *s = &jpeg->selection;
    if (!jpeg->progressive) {
        return s->components == jpeg->components && s->first == 0 && s->last == 63 && s->high == 0 && s->low == 0;
    }
    if (s->low > 13 || (s->high != 0 && s->high != s->low + 1)) return 0;
    if (s->first == 0) return s->last == 0;
    return s->components == 1 && s->first <= s->last && s->last <= 63;
}

static int read_scan(Jpeg *jpeg, const uint8_t *body, int length) {
    Selection *selection = &jpeg->selection;
    int count = length > 0 ? body[0] : 0, c = 0;
    if (!jpeg->frame_seen || count < 1 || count > jpeg->components || length != 4 + 2 * count) return 0;
    selection->components = count;
    selection->first = body[1 + 2 * count];
    selection->last = body[2 + 2 * count];
    selection->high = body[3 + 2 * count] >> 4;
    selection->low = body[3 + 2 * count] & 15;
    if (!valid_selection(jpeg)) return 0;
    for (int j = 0; j < count; j++, c++) {
        while (c < jpeg->components && jpeg->component[c].id != body[1 + 2 * j]) c++;
        if (c == jpeg->components) return 0;
        jpeg->component[c].dc = body[2 + 2 * j] >> 4;
        jpeg->component[c].ac = body[2 + 2 * j] & 15;
        selection->component[j] = c;
        if (!tables_defined(jpeg, &jpeg->component[c])) return 0;
    }
    return plain_sampling(jpeg) && plain_colours(jpeg);
}

static int read_segment(Jpeg *jpeg, int marker, const uint8_t *body, int length) {
    if (marker >= 0xE0 && marker <= 0xEF) return read_application(jpeg, marker, body, length);
    switch (marker) {
    case 0xC0: case 0xC1: return read_frame(jpeg, 0, body, length);
    case 0xC2: return read_frame(jpeg, 1, body, length);
    case 0xC4: return read_codes(jpeg, body, length);
    case 0xDB: return read_quantisation(jpeg, body, length);
    case 0xDD:
        if (length != 2) return 0;
        jpeg->restart_interval = word_at(body);
        return 1;
    case 0xDA: return read_scan(jpeg, body, length);
    case 0xFE: return 1;
    default: return 0;
    }
}

/* Reads segments up to a scan's first byte. Behind the first scan, `later`, only codes may be among them. */
static int read_segments(Jpeg *jpeg, const uint8_t *at, int later) {
    while (jpeg->end - at >= 4 && at[0] == 0xFF) {
        int marker = at[1], length = word_at(at + 2);
        if (length < 2 || jpeg->end - at - 2 < length) return 0;
        if (later && marker != 0xC4 && marker != 0xDA) return 0;
        if (!read_segment(jpeg, marker, at + 4, length - 2)) return 0;
        at += 2 + length;
        if (marker == 0xDA) {
            jpeg->scan = at;
            return 1;
        }
    }
    return 0;
}

/* Fills `jpeg` up to the first byte of the first scan; 0 where the file is not plain. */
static int read_header(Jpeg *jpeg, const uint8_t *data, size_t size) {
    memset(jpeg, 0, sizeof *jpeg);
    jpeg->adobe = -1;
    jpeg->end = data + size;
    return size >= 4 && data[0] == 0xFF && data[1] == 0xD8 && read_segments(jpeg, data + 2, 0);
}

#endif
