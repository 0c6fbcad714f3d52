// Text of others for a terminal: a name or an answer must not move the cursor, set colours or turn the line.

// Control characters but line ends and tabs, halves of characters, and those that change the direction of a line.
const UNPRINTABLE = /[^\P{Cc}\n\t]|[\p{Cs}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

export const printable = (text: string): string => text.replace(UNPRINTABLE, "\ufffd");
