// SPDX-License-Identifier: MIT
//
// Rows of text out of columns of numbers and strings.
#include "kernels.h"

namespace mapscope::kernels {
namespace {

/// What a column holds; writing.py has the same. A number is of `kind` bytes, one with a sign of
/// `kind - has_sign`.
constexpr uint64_t has_sign = 16;
enum kinds : uint64_t { boolean = 32, pointer = 33, string = 34, ready = 35 };

constexpr char hex_digits[] = "0123456789abcdef";
/// Characters of the longest number, pointer or truth.
constexpr uint64_t longest_scalar = 24;

/// A column: numbers, or texts in one buffer, each from one offset to the next.
struct column {
  uint64_t kind;
  const uint8_t *data;
  uint64_t size;
  const uint64_t *offsets;
};

/// Characters are put behind each other; whoever puts them has made sure that there is room.
class writer {
public:
  explicit writer(char *at) : m_at(at) {}

  void put(char letter) { *m_at++ = letter; }

  void put(const void *data, uint64_t size) {
    std::memcpy(m_at, data, size);
    m_at += size;
  }

  void put(const char *text) { put(text, std::strlen(text)); }

  void decimal(uint64_t value) {
    char digits[20];
    char *first = digits + sizeof digits;
    do {
      *--first = static_cast<char>('0' + value % 10);
      value /= 10;
    } while (value != 0);
    put(first, static_cast<uint64_t>(digits + sizeof digits - first));
  }

  /// @param digits at least so many
  void hex(uint64_t value, unsigned digits) {
    while (digits < 16 && value >> (4 * digits) != 0)
      ++digits;
    while (digits-- > 0)
      put(hex_digits[value >> (4 * digits) & 15U]);
  }

  [[nodiscard]] char *at() const { return m_at; }

private:
  char *m_at;
};

/// A character of UTF-8, and how many bytes it has; 0 bytes: they are none.
struct character {
  uint32_t code;
  unsigned size;
};

/// The character that begins with a byte from 0x80 on.
character decode(const uint8_t *at, uint64_t left) {
  const uint8_t first = at[0];
  const unsigned size = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || left < size)
    return {0, 0};
  uint32_t code = first & (0xFFU >> (size + 1));
  for (unsigned index = 1; index < size; ++index) {
    if ((at[index] & 0xC0U) != 0x80U)
      return {0, 0};
    code = code << 6 | (at[index] & 0x3FU);
  }
  const bool too_long = (size == 3 && code < 0x800) || (size == 4 && code < 0x10000);
  if (too_long || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000))
    return {0, 0};
  return {code, size};
}

/// The letter behind the backslash of a control character that has one; 0: it has none.
char named(uint8_t byte, bool json) {
  switch (byte) {
  case '\n':
    return 'n';
  case '\t':
    return 't';
  case '\r':
    return 'r';
  case '\b':
    return 'b';
  case '\f':
    return 'f';
  case '\a':
    return json ? '\0' : 'a';
  case '\v':
    return json ? '\0' : 'v';
  default:
    return '\0';
  }
}

void escaped(writer &out, uint32_t code) {
  out.put("\\u");
  out.hex(code, 4);
}

/// A string's bytes in JSON, at most 6 times as many and 24.
void json_string(writer &out, const uint8_t *data, uint64_t size) {
  const writer start = out;
  out.put('"');
  for (uint64_t at = 0; at < size;) {
    const uint8_t byte = data[at];
    if (byte >= ' ' && byte <= '~') {
      if (byte == '"' || byte == '\\')
        out.put('\\');
      out.put(static_cast<char>(byte));
      ++at;
      continue;
    }
    const char name = named(byte, true);
    if (name != '\0' || byte < 0x80) {
      if (name != '\0') {
        out.put('\\');
        out.put(name);
      } else {
        escaped(out, byte);
      }
      ++at;
      continue;
    }
    const character found = decode(data + at, size - at);
    if (found.size == 0) { // no text: its bytes
      out = start;
      out.put("{\"bytes\": \"");
      for (uint64_t index = 0; index < size; ++index)
        out.hex(data[index], 2);
      out.put("\"}");
      return;
    }
    if (found.code >= 0x10000) {
      escaped(out, 0xD800 + ((found.code - 0x10000) >> 10));
      escaped(out, 0xDC00 + ((found.code - 0x10000) & 0x3FFU));
    } else {
      escaped(out, found.code);
    }
    at += found.size;
  }
  out.put('"');
}

/// A string's bytes as readers see them; false: they are not all ASCII, or too many, and nothing of
/// use was written.
///
/// @param limit characters; 0: any number
bool plain_string(writer &out, const uint8_t *data, uint64_t size, uint64_t limit) {
  if (limit != 0 && size > limit)
    return false;
  out.put('"');
  for (uint64_t at = 0; at < size; ++at) {
    const uint8_t byte = data[at];
    if (byte >= 0x80)
      return false;
    if (byte >= ' ' && byte <= '~') {
      if (byte == '"' || byte == '\\')
        out.put('\\');
      out.put(static_cast<char>(byte));
    } else if (const char name = named(byte, false); name != '\0') {
      out.put('\\');
      out.put(name);
    } else {
      out.put("\\x");
      out.hex(byte, 2);
    }
  }
  out.put('"');
  return true;
}

/// How what is written looks: JSON, or text for readers with so many characters of each string.
struct style {
  bool json;
  uint64_t limit;
};

class table {
public:
  table(const column &first, const column &second, const uint8_t *words, const uint64_t *ends,
        style look)
      : m_columns{first, second}, m_number(second.kind == 0 ? 1 : 2), m_words(words), m_ends(ends),
        m_style(look) {}

  /// Characters that a row has at most; `outside`: it is in no buffer.
  [[nodiscard]] uint64_t room(uint64_t row) const {
    uint64_t needed = m_ends[m_number + 1];
    for (uint64_t at = 0; at < m_number; ++at) {
      const column &from = m_columns[at];
      if (from.kind != string && from.kind != ready) {
        const uint64_t width = from.kind & (has_sign - 1);
        const uint64_t bytes = from.kind == boolean ? 1 : from.kind == pointer ? 8 : width;
        if (bytes == 0 || bytes > 8 || row >= from.size / bytes)
          return outside;
        needed += longest_scalar;
        continue;
      }
      const uint64_t first = from.offsets[row];
      const uint64_t end = from.offsets[row + 1];
      if (first > end || end > from.size)
        return outside;
      needed += from.kind == ready ? end - first : 6 * (end - first) + longest_scalar;
    }
    return needed;
  }

  /// Whether a row was written; false: it has what is not written here.
  bool write(writer &out, uint64_t row) const {
    for (uint64_t at = 0; at < m_number; ++at) {
      out.put(m_words + m_ends[at], m_ends[at + 1] - m_ends[at]);
      if (!cell(out, m_columns[at], row))
        return false;
    }
    out.put(m_words + m_ends[m_number], m_ends[m_number + 1] - m_ends[m_number]);
    return true;
  }

private:
  bool cell(writer &out, const column &from, uint64_t row) const {
    switch (from.kind) {
    case boolean:
      out.put(from.data[row] != 0 ? "true" : "false");
      return true;
    case pointer:
      address(out, load(from.data + 8 * row));
      return true;
    case ready:
      out.put(from.data + from.offsets[row], from.offsets[row + 1] - from.offsets[row]);
      return true;
    case string: {
      const uint8_t *data = from.data + from.offsets[row];
      const uint64_t size = from.offsets[row + 1] - from.offsets[row];
      if (!m_style.json)
        return plain_string(out, data, size, m_style.limit);
      json_string(out, data, size);
      return true;
    }
    default:
      number(out, from, row);
      return true;
    }
  }

  void address(writer &out, uint64_t value) const {
    if (value == 0) {
      out.put(m_style.json ? "null" : "nil");
      return;
    }
    out.put(m_style.json ? "\"0x" : "0x");
    out.hex(value, 1);
    if (m_style.json)
      out.put('"');
  }

  static void number(writer &out, const column &from, uint64_t row) {
    const uint64_t width = from.kind & (has_sign - 1);
    uint64_t value = 0;
    std::memcpy(&value, from.data + width * row, width);
    const uint64_t sign = uint64_t{1} << (8 * width - 1);
    if (from.kind >= has_sign && (value & sign) != 0) {
      out.put('-');
      value = sign - (value & (sign - 1)); // of the smallest, too
    }
    out.decimal(value);
  }

  column m_columns[2];
  uint64_t m_number;
  const uint8_t *m_words;
  const uint64_t *m_ends;
  style m_style;
};

} // namespace
} // namespace mapscope::kernels

using namespace mapscope::kernels;

/// Writes rows until one is hard or has no room.
///
/// @param kind, data, data_size, offsets a column: what it holds, where, how many bytes that are, and of
///   texts where each begins and the last one ends
/// @param kind2, data2, data_size2, offsets2 another; of kind 0: there is none
/// @param words what stands in front of each column's cell, and behind the last one
/// @param word_ends 0, and where each of the words ends
/// @param rows the rows to be written; null: from `first` on
/// @param limit of all rows: those from there on are in no column
/// @param hard marks of all rows, of which those with any are hard; null: none is
/// @param json 1, or 0 for readers' text with `most` characters of each string (0: all); text that
///   is not ASCII makes a row hard
/// @param ends where each row that was written ends; null: nobody asks
/// @param written one number: of the bytes that were written
/// @return how many rows were written, or `outside`
MAPSCOPE_KERNEL uint64_t
mapscope_write(uint64_t kind, const uint8_t *data, uint64_t data_size, const uint64_t *offsets,
               uint64_t kind2, const uint8_t *data2, uint64_t data_size2, const uint64_t *offsets2,
               const uint8_t *words, const uint64_t *word_ends, const uint32_t *rows,
               uint64_t first, uint64_t wanted, uint64_t limit, const uint8_t *hard, uint64_t json,
               uint64_t most, char *buffer, uint64_t size, uint64_t *ends, uint64_t *written) {
  const table all({kind, data, data_size, offsets}, {kind2, data2, data_size2, offsets2}, words,
                  word_ends, {json != 0, most});
  writer out(buffer);
  *written = 0;
  for (uint64_t done = 0; done < wanted; ++done) {
    const uint64_t row = rows != nullptr ? rows[done] : first + done;
    if (row >= limit)
      return outside;
    if (hard != nullptr && hard[row] != 0)
      return done;
    const uint64_t room = all.room(row);
    if (room == outside)
      return outside;
    if (room > size - *written || !all.write(out, row))
      return done;
    *written = static_cast<uint64_t>(out.at() - buffer);
    if (ends != nullptr)
      ends[done] = *written;
  }
  return wanted;
}

/// Marks the rows of a text that hold some bytes.
///
/// @param ends where each row ends
/// @param marks one byte for each row: 1 is put where it holds them
/// @return 0, or `outside`
MAPSCOPE_KERNEL uint64_t mapscope_holding(const char *text, uint64_t size, const uint64_t *ends,
                                          uint64_t number, const char *wanted, uint64_t length,
                                          uint8_t *marks) {
  uint64_t at = 0;
  for (uint64_t row = 0; row < number; ++row) {
    const void *found = memmem(text + at, size - at, wanted, length);
    if (found == nullptr)
      return 0;
    const auto place = static_cast<uint64_t>(static_cast<const char *>(found) - text);
    while (row < number && ends[row] <= place)
      ++row;
    if (row == number)
      return 0;
    if (ends[row] > size)
      return outside;
    if (length <= ends[row] - place) {
      marks[row] = 1;
      at = ends[row];
    } else { // in this row and the next one
      at = place + 1;
      --row;
    }
  }
  return 0;
}
