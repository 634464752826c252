"""Lectures as documents: their subtitles read, those that shout dropped."""
