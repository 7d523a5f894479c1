// Lyrics as running text: one syllable for each note, a line for each phrase.

const SMALL = "ゃゅょぁぃぅぇぉゎャュョァィゥェォヮっッ";
const HOLDS = /^[ー－ｰ\-~〜～–—―_+]+$/;
const KANA = /^[\u3041-\u3096\u30a1-\u30fa]$/;
const ALONE = /^[\u4e00-\u9fff\uac00-\ud7a3]$/;

// In brackets, with others inside, or with ones that are not closed; else up to a blank.
const LYRIC = /\[(?:[^[\]]|\[[^[\]]+\])*\]|\[[^[\]]*\[[^\]]*\]\]|\[[^\]]*\]|[^\s[]+(?:\[[^\]]*\])?/g;

// A lyric, and the phones behind it that say how it is sung: か[k a], oh[en/hh ow]; as the server reads it.
export function parted(lyric, lang) {
  const [, text, hint] = /^(.*?)\s*\[([^[\]]*\S[^[\]]*)\]$/.exec(lyric.trim()) || [];
  // Behind letters it may be text as well.
  if (hint === undefined || (text && !hint.includes("/") && !(lang === "ja" && /^[ -~]*$/.test(hint)))) return [lyric, []];
  return [text, hint.trim().split(/\s+/).map((phone) => phone.slice(phone.lastIndexOf("/") + 1))];
}

// A lyric with such phones; without any as it is.
export function withPhones(text, phones, lang) {
  return phones.length ? `${text}[${text && lang !== "ja" ? `${lang}/` : ""}${phones.join(" ")}]` : text;
}

// Text to lyrics. Blanks part syllables, and so do hyphens in words; kana are parted by the mora
// (っ stays with the one before), hanzi and hangul by the letter; what stands in [ ] is one lyric, but behind
// letters it may say their phones.
export function split(text, lang) {
  const lyrics = [];
  for (const [whole] of text.normalize("NFC").matchAll(LYRIC)) {
    if (whole[0] === "[") {
      lyrics.push(whole.slice(1, -1).trim());
      continue;
    }
    const [, word, bracket] = /^([^[]*)(.*)$/s.exec(whole);
    // Behind the last of them.
    if (bracket && parted(whole, lang)[1].length) {
      const before = split(word, lang);
      lyrics.push(...before.slice(0, -1), before[before.length - 1] + bracket);
      continue;
    }
    if (bracket) {
      lyrics.push(...split(word, lang), bracket.slice(1, -1).trim());
      continue;
    }
    if (HOLDS.test(word)) {
      lyrics.push("");
      continue;
    }
    let part = "";
    const flush = () => { if (part) lyrics.push(part); part = ""; };
    for (const letter of word) {
      if (SMALL.includes(letter) && part) part += letter;
      else if (KANA.test(letter)) { flush(); part = letter; }
      else if (/[ー－ｰ]/.test(letter)) { flush(); lyrics.push(""); }
      else if (ALONE.test(letter) && lang !== "ja") { flush(); lyrics.push(letter); }
      else if (letter === "-" && part) { part += letter; flush(); }
      else {
        if (part && KANA.test(part[0])) flush();
        part += letter;
      }
    }
    flush();
  }
  return lyrics;
}

// Lyrics of notes as text that `split` turns back into them.
export function join(notes, lang) {
  const hold = lang === "ja" ? "ー" : "-";
  let text = "";
  notes.forEach((note, i) => {
    const before = notes[i - 1];
    if (before) text += note.at > before.at + before.beats + 0.01 ? "\n" : " ";
    const lyric = note.lyric.trim();
    if (!lyric || HOLDS.test(lyric)) text += hold;
    else {
      const parts = split(lyric, lang);
      text += parts.length === 1 && parts[0] === lyric ? lyric : `[${lyric}]`;
    }
  });
  return text;
}
