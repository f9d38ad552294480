"""Somebody with Outlook, who changes things in Exchange itself."""
import re
import urllib.request

NAMESPACES = ('xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" '
              'xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types" '
              'xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages"')


class Outlook:
    def __init__(self, url, authorization):
        self.url, self.authorization = url, authorization

    def send(self, body):
        """The answer; `None`: nobody knows what is done."""
        envelope = (f'<s:Envelope {NAMESPACES}><s:Header><t:RequestServerVersion Version="Exchange2013_SP1"/></s:Header>'
                    f'<s:Body>{body}</s:Body></s:Envelope>')
        request = urllib.request.Request(self.url, envelope.encode(), {
            "Content-Type": "text/xml; charset=utf-8", "Authorization": self.authorization})
        try:
            return urllib.request.urlopen(request, timeout=30).read().decode()
        except OSError:
            return None

    def ask(self, body):
        """Whether it is done; `None`: nobody knows."""
        answer = self.send(body)
        return answer and "NoError" in re.findall(r"ResponseCode>([^<]*)<", answer)

    def make(self, subject):
        return self.ask('<m:CreateItem SendMeetingInvitations="SendToNone"><m:Items><t:CalendarItem>'
                        f'<t:Subject>{subject}</t:Subject><t:Start>2026-12-01T09:00:00Z</t:Start>'
                        '<t:End>2026-12-01T10:00:00Z</t:End></t:CalendarItem></m:Items></m:CreateItem>')

    def place(self, item, place):
        """Says where an event takes place, whoever else changed it."""
        seen = self.send('<m:GetItem><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape><m:ItemIds>'
                         f'<t:ItemId Id="{item}"/></m:ItemIds></m:GetItem>')
        key = re.search(r'ChangeKey="([^"]*)"', seen or "")
        return bool(key) and self.ask('<m:UpdateItem ConflictResolution="AlwaysOverwrite" SendMeetingInvitationsOrCancellations="SendToNone">'
                        f'<m:ItemChanges><t:ItemChange><t:ItemId Id="{item}" ChangeKey="{key[1]}"/><t:Updates><t:SetItemField>'
                        f'<t:FieldURI FieldURI="calendar:Location"/><t:CalendarItem><t:Location>{place}</t:Location>'
                        '</t:CalendarItem></t:SetItemField></t:Updates></t:ItemChange></m:ItemChanges></m:UpdateItem>')

    def remove(self, item):
        return self.ask('<m:DeleteItem DeleteType="MoveToDeletedItems" SendMeetingCancellations="SendToNone"><m:ItemIds>'
                        f'<t:ItemId Id="{item}"/></m:ItemIds></m:DeleteItem>')
